import Checkpoints
import Testing
import Tokenization

/// The tokenizers of well-known models cut words as Hugging Face tokenizers does: ids recorded by
/// make_pattern_fixtures.py.
struct PatternAgreementTests {
  @Test func thereAreKinds() { #expect(PatternFixture.kinds.count >= 18) }

  @Test(arguments: PatternFixture.kinds) func encodes(_ name: String) throws {
    let fixture = try PatternFixture(name)
    let tokenizer = try Tokenizer(parsing: fixture.file)
    for (text, hash) in zip(fixture.texts, fixture.hashes) {
      #expect(IDFingerprint(try tokenizer.encode(text)).hash == hash, "\(text.debugDescription)")
    }
    #expect(IDFingerprint(try tokenizer.encode(try hardCases())) == fixture.hardCases)
  }

  /// All five behaviours and `invert`: the words that Hugging Face tokenizers makes of these texts.
  @Test(arguments: [
    ("Isolated", false, ["a", "1", "2", "b", "3", " ", "4", "5"], ["a", "b", "xx", "b"]),
    ("Isolated", true, ["a", "1", "2", "b", "3", " ", "4", "5"], ["a", "b", "xx", "b"]),
    ("Removed", false, ["a", "b", " "], ["a", "b", "b"]),
    ("Removed", true, ["1", "2", "3", "4", "5"], ["xx"]),
    ("MergedWithPrevious", false, ["a1", "2", "b3", " 4", "5"], ["a", "bxx", "b"]),
    ("MergedWithPrevious", true, ["a", "1", "2b", "3 ", "4", "5"], ["a", "b", "xxb"]),
    ("MergedWithNext", false, ["a", "1", "2b", "3 ", "4", "5"], ["a", "b", "xxb"]),
    ("MergedWithNext", true, ["a1", "2", "b3", " 4", "5"], ["a", "bxx", "b"]),
    ("Contiguous", false, ["a", "12", "b", "3", " ", "45"], ["a", "b", "xx", "b"]),
    ("Contiguous", true, ["a", "12", "b", "3", " ", "45"], ["a", "b", "xx", "b"]),
  ])
  func behaviors(_ behavior: String, _ inverts: Bool, _ first: [String], _ second: [String]) throws {
    func words(_ expression: String, _ text: String) throws -> [String] {
      // All that a word could be is a token, and a word that is a token stays whole.
      let characters = Array(text)
      let ranges = characters.indices.flatMap { start in (start..<characters.count).map { start...$0 } }
      let vocabulary = Set(ranges.map { String(characters[$0]) }).sorted()
      let tokenizer = try tinyTokenizer(
        vocabulary: "{" + vocabulary.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ") + "}",
        merges: "[]", modelOptions: #""ignore_merges": true,"#,
        preTokenizer: """
          {"type": "Split", "pattern": {"Regex": "\(expression)"}, "behavior": "\(behavior)", "invert": \(inverts)}
          """)
      return try tokenizer.encode(text).map { vocabulary[Int($0)] }
    }
    #expect(try words(#"[0-9]"#, "a12b3 45") == first)
    #expect(try words("(?=b)|x*", "abxxb") == second)
  }

  /// A repeat that an expression cannot end names the expression.
  @Test func tooMuchBacktracking() throws {
    let tokenizer = try tinyTokenizer(
      preTokenizer: """
        {"type": "Split", "pattern": {"Regex": "(?:a+)+b"}, "behavior": "Isolated", "invert": false}
        """)
    let error = #expect(throws: TokenizerError.self) { try tokenizer.encode(String(repeating: "a", count: 100)) }
    #expect(error?.description.contains("(?:a+)+b") == true && error?.description.contains("backtracking") == true)
  }
}

/// A kind of make_pattern_fixtures.py.
struct PatternFixture {
  static let kinds: [String] = (try? recorded()["kinds"]?.members?.map(\.key)) ?? []

  /// The tokenizer.json.
  let file: JSON
  let texts: [String]
  /// Of the ids of each text.
  let hashes: [String]
  let hardCases: IDFingerprint

  private static func recorded() throws -> JSON { try JSON(parsing: try fixtureBytes("patterns.expected.json")) }

  init(_ name: String) throws {
    func replacing(_ members: [String: JSON], in json: JSON) -> JSON {
      .object((json.members ?? []).map { JSON.Member(key: $0.key, value: members[$0.key] ?? $0.value) })
    }
    let recorded = try Self.recorded()
    let kind = try #require(recorded["kinds"]?[name])
    let base = try JSON(parsing: try fixtureBytes("\(try #require(kind["vocabulary"]?.string)).json"))
    let model = replacing(["ignore_merges": try #require(kind["ignore_merges"])], in: try #require(base["model"]))
    file = replacing(
      ["pre_tokenizer": kind["pre_tokenizer"] ?? .null, "normalizer": kind["normalizer"] ?? .null, "model": model],
      in: base)
    texts = try #require(recorded["texts"]?.array).map { try #require($0.string) }
    hashes = try #require(kind["texts"]?.array).map { try #require($0.string) }
    hardCases = try IDFingerprint(kind["hard"])
  }
}
