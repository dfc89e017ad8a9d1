import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// Chats by a model's own template: answers written, dialogues scored.
struct ChatTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  private static let template =
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"

  init() throws {
    workshop = try Workshop()
    try Data(Self.template.utf8).write(to: folder["model/chat_template.jinja"])
    let lines = ["The king is dead.", "She sails at dawn.", "We are merry men.", "Who goes there?"].map {
      #"{"messages":[{"role":"user","content":"Speak, friend, and tell us what you saw."},{"role":"assistant","content":"\#($0)"}]}"#
    }
    try Data(lines.joined(separator: "\n").utf8).write(to: folder["chat.jsonl"])
  }

  @Test func anAnswerIsWhatFollowsTheTemplatesText() async throws {
    let rendered = "[system] Be kind.\n[user] Hello\n[assistant]"
    let plain = try await laserSucceeds([
      "generate", workshop.model, "--prompt", rendered, "--tokens", "8", "--json",
    ]).json
    let chat = try await laserSucceeds([
      "generate", workshop.model, "--prompt", "Hello", "--system", "Be kind.", "--chat", "--tokens", "8", "--json",
    ]).json
    // Posy's tokenizer puts a token before a text, which this template does not.
    let posy = try JSON(parsing: Array(Data(contentsOf: folder["model/tokenizer.json"])))
    if posy["post_processor"]?.isNull ?? true {
      #expect(chat["continuations"]?.array?[0]["text"]?.string == plain["continuations"]?.array?[0]["text"]?.string)
    }
    #expect(chat["continuations"]?.array?[0]["stopped"]?.string == "limit")
    #expect(chat["continuations"]?.array?[0]["tokens"]?.integer == 8)
    let run = try await laserSucceeds(["generate", workshop.model, "--prompt", "Hello", "--chat", "--tokens", "8"])
    #expect(!run.output.contains("Hello") && run.error.contains("stopped at --tokens 8"))
  }

  @Test func dialoguesAreScoredByEveryCommandThatScoresTexts() async throws {
    let chat = folder.path("chat.jsonl")
    let row = try #require(
      await laserSucceeds(["perplexity", workshop.model, "--text", chat, "--json"]).json["corpora"]?.array?.first)
    let (tokens, scored) = (
      try #require(row["tokens"]?.integer), try #require(row["scored_tokens"]?.integer)
    )
    #expect(scored > 8 && scored < tokens / 2)
    let ids = try await laserSucceeds(["tokenize", workshop.model, "--text", chat, "--json"]).json
    #expect(ids["texts"]?.array?.first?["tokens"]?.integer == tokens)
    try await laserSucceeds(["compare", workshop.model, workshop.model, "--text", chat])
    try await laserSucceeds(
      workshop.search(out: "run", text: [chat], ranks: "8", more: ["--guard", workshop.searchTexts[0]]))
  }

  @Test func whatCannotBeDoneIsRefused() async throws {
    try await expectFailure(
      ["generate", Posy.model, "--prompt", "a", "--chat"], naming: [Posy.model, "chat template"])
    try await expectFailure(["perplexity", Posy.model, "--text", folder.path("chat.jsonl")], naming: ["chat template"])
    try await expectFailure(
      ["score", workshop.model, "--questions", folder.path("chat.jsonl")], naming: ["line 1", "--text"])
    #expect(try await laser(["generate", workshop.model, "--prompt", "a", "--system", "b"]).status == 64)
    try Data("{{ fancy(1) }}".utf8).write(to: folder["model/chat_template.jinja"])
    try await expectFailure(
      ["generate", workshop.model, "--prompt", "a", "--chat"], naming: ["line 1", "no function 'fancy'"])
  }
}
