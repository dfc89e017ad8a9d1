import Checkpoints
import Evaluation
import Foundation
import Inference
import Testing
import Tokenization

/// Dialogues: which tokens of them are scored.
struct DialogueTests {
  /// A folder with posy's tokenizer and a template of its own.
  private func corpus(_ template: String, _ lines: [String], name: String = "chat.jsonl") throws -> (Corpus, Tokenizer)
  {
    let folder = FileManager.default.temporaryDirectory.appending(path: "dialogues-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(
      at: URL(filePath: Folders.posy + "/model/tokenizer.json"), to: folder.appending(path: "tokenizer.json"))
    try Data(template.utf8).write(to: folder.appending(path: "chat_template.jinja"))
    let file = folder.appending(path: name)
    try Data(lines.joined(separator: "\n").utf8).write(to: file)
    let tokenizer = try Tokenizer(path: folder.path)
    return (try Corpus(file: file.path, tokenizer: tokenizer, model: folder.path), tokenizer)
  }

  private static let plain =
    "{% for m in messages %}[{{ m.role }}] {{ m.content | trim }}\n{% endfor %}"

  private func texts(_ document: ScoredDocument, _ tokenizer: Tokenizer) -> [String] {
    document.scored.map { tokenizer.decode(document.tokens[$0]).trimmingCharacters(in: .whitespaces) }
  }

  @Test func answersAreScoredWhereNothingIsSaid() throws {
    let (corpus, tokenizer) = try corpus(
      Self.plain,
      [
        #"{"messages":[{"role":"user","content":"Who sails?"},{"role":"assistant","content":" The old man. "},{"role":"user","content":"Where?"},{"role":"assistant","content":"At sea."}]}"#,
        "", #"{"messages":[{"role":"assistant","content":"Once upon a time"}]}"#,
      ])
    let documents = try #require(corpus.documents)
    #expect(documents.count == 2)
    #expect(texts(documents[0], tokenizer) == ["The old man.", "At sea."])
    #expect(texts(documents[1], tokenizer) == ["Once upon a time"])
    #expect(corpus.tokens == documents.flatMap(\.tokens))
    #expect(
      tokenizer.decode(documents[0].tokens)
        == "[user] Who sails?\n[assistant] The old man.\n[user] Where?\n[assistant] At sea.\n")
  }

  @Test func orThoseThatSaySo() throws {
    let (corpus, tokenizer) = try corpus(
      Self.plain,
      [
        #"{"messages":[{"role":"user","content":"Who sails?","score":true},{"role":"assistant","content":"A man."},{"role":"assistant","content":"At sea.","score":false}]}"#
      ])
    #expect(texts(try #require(corpus.documents)[0], tokenizer) == ["Who sails?"])
  }

  /// What ends a turn is scored with it, if it is a special token; so is a turn that says nothing else.
  @Test func theEndOfATurnIsScored() throws {
    let (corpus, tokenizer) = try corpus(
      "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}",
      [#"{"messages":[{"role":"user","content":"Who?"},{"role":"assistant","content":"Nobody"}]}"#])
    let document = try #require(corpus.documents)[0]
    let end = try #require(tokenizer.id(of: "</s>"))
    #expect(tokenizer.isSpecial(end))
    #expect(document.tokens[document.scored[0]].last == end && document.scored[0].upperBound == document.tokens.count)
  }

  /// A window is a piece of a dialogue; no scored token is lost but a piece's first.
  @Test func longDialoguesAreCut() throws {
    let words = Array(repeating: "the old man sails at sea", count: 20).joined(separator: " ")
    let (corpus, tokenizer) = try corpus(
      Self.plain,
      [#"{"messages":[{"role":"user","content":"Who?"},{"role":"assistant","content":"\#(words)"}]}"#])
    let document = try #require(corpus.documents)[0]
    let evaluation = try Evaluation([corpus], convention: .windows, context: 32, tokenizer: tokenizer)
    #expect(evaluation.windows.allSatisfy { $0.tokens.count <= 32 })
    let lost = stride(from: 0, to: document.tokens.count, by: 32).count { document.scored[0].contains($0) }
    #expect(evaluation.windows.reduce(0) { $0 + $1.scoredCount } == document.scored[0].count - lost)
  }

  /// Scored as the same tokens of the same text are.
  @Test func scoresAreThoseOfTheText() throws {
    let (corpus, tokenizer) = try corpus(
      Self.plain,
      [#"{"messages":[{"role":"user","content":"Who sails?"},{"role":"assistant","content":"The old man."}]}"#])
    let document = try #require(corpus.documents)[0]
    let model = try Reference.franken.model
    let dialogue = try Evaluation([corpus], convention: .windows, context: 64, tokenizer: tokenizer).score(model)
    func nll(_ count: Int) throws -> Double {
      let text = Corpus(path: "text", tokens: Array(document.tokens.prefix(count)))
      return try Evaluation([text], convention: .windows, context: count, tokenizer: tokenizer).score(model)
        .windows[0].nll
    }
    let range = document.scored[0]
    #expect(dialogue.tokens == range.count)
    #expect(abs(dialogue.windows[0].nll - (try nll(range.upperBound) - nll(range.lowerBound))) < 1e-4)
  }

  @Test(
    arguments: [
      ("{% for m in messages %}x{% endfor %}", #"{"messages":[{"role":"assistant","content":"a"}]}"#, "not at all"),
      (
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
        #"{"messages":[{"role":"assistant","content":"a"}]}"#, "twice"
      ),
      (
        "{{ raise_exception('no system') }}", #"{"messages":[{"role":"assistant","content":"a"}]}"#, "no system"
      ),
      (plain, #"{"messages":[{"role":"user","content":"a"}]}"#, "no message to score"),
      (plain, #"{"messages":[{"role":"user"}]}"#, "message 1 should have"),
      (plain, #"{"messages":[{"role":"user","content":"a","score":1}]}"#, "true or false"),
      (plain, #"{"messages":[]}"#, "not a dialogue"), (plain, "{\"messages\":[{}]}\n", "message 1"),
      (plain, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"}]}\nnonsense", "line 2: not JSON"),
    ])
  func whatCannotBeScoredIsNamed(_ template: String, _ line: String, _ problem: String) {
    #expect {
      _ = try corpus(template, [line])
    } throws: {
      "\($0)".contains(problem) && "\($0)".contains("chat.jsonl, line")
    }
  }

  /// A text is a text, whatever lines it has, unless its name says otherwise.
  @Test func onlyFilesOfLinesAreDialogues() throws {
    let line = #"{"messages":[{"role":"assistant","content":"a"}]}"#
    #expect(try corpus(Self.plain, [line], name: "chat.txt").0.documents == nil)
    #expect(try corpus(Self.plain, [#"{"text":"a"}"#]).0.documents == nil)
  }
}

/// The convention of lm-evaluation-harness for whole texts.
struct RollingTests {
  /// As `get_rolling_token_windows` and `make_disjoint_window` cut them: every token is scored once, behind as many as
  /// there is room for in the last window.
  @Test(arguments: [1, 5, 10, 11, 23, 30])
  func everyTokenIsScoredOnce(_ count: Int) throws {
    let tokens = (1...Int32(count)).map { $0 }
    let windows = try Convention.rolling.windows(
      of: Corpus(path: "numbers", tokens: tokens), context: 10, beginning: nil, prefix: 0)
    #expect(windows.flatMap(\.targets) == tokens)
    for (index, window) in windows.enumerated() {
      let end = min((index + 1) * 10, count)
      let all = [0] + tokens
      #expect(window.tokens == Array(all[max(0, end - 10)..<end]), "the last token predicts nothing, and is not run")
    }
    #expect(throws: (any Error).self) {
      try Convention.rolling.windows(
        of: Corpus(path: "numbers", tokens: tokens), context: 10, beginning: nil, prefix: nil)
    }
  }
}
