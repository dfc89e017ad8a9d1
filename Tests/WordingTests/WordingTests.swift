import Testing
import Wording

@Suite struct SuggestionTests {
  @Test(arguments: [
    ("w11", "w1"), ("q_porj", "q_proj"), ("dwon_proj", "down_proj"), ("W2", "w2"), ("output_projection", nil),
    ("x", nil),
    ("", nil),
  ]) func whatMayBeMeant(word: String, meant: String?) {
    let text = unknownWord(word, what: "a role", known: ["w1", "w2", "q_proj", "down_proj"])
    #expect(text.contains("did you mean") == (meant != nil))
    if let meant { #expect(text.contains("did you mean \(meant)?")) }
    #expect(text.hasSuffix("known are w1, w2, q_proj, down_proj"))
  }
}

@Suite struct TextTests {
  /// Whatever a model is called, YAML reads its name as that text.
  @Test(arguments: [
    ("mistral/7B-v0.1", "mistral/7B-v0.1"), ("null", "'null'"), ("1.5", "'1.5'"), ("true", "'true'"), ("~", "'~'"),
    ("a: b", "'a: b'"), ("- a", "'- a'"), ("a\nb", "a b"),
  ]) func yamlScalars(text: String, written: String) {
    #expect(yamlScalar(text) == written)
  }

  @Test func fencesAreLongerThanWhatTheyHold() {
    #expect(fenced("a") == "```\na\n```")
    #expect(fenced("a: ````", language: "yaml") == "`````yaml\na: ````\n`````")
  }

  @Test func errorsAreOneLine() {
    #expect(InputError("a\nb\u{2028}c").description == "a\u{FFFD}b\u{FFFD}c")
    let long = InputError("file: " + String(repeating: "x", count: 10_000) + "; do that").description
    #expect(long.count < 1000 && long.hasPrefix("file: x") && long.hasSuffix("x; do that"))
  }

  @Test func controlCharactersAreNotPrinted() {
    #expect(printable("a\u{1B}[2Jé\n") == "a\u{FFFD}[2Jé\u{FFFD}")
    #expect(printable("a\u{1B}b") { $0.escaped(asASCII: true) } == "a\\u{1B}b")
  }
}
