import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// `laser score` and `laser compare --questions` as programs.
struct ScoreTests {
  private static let choices = """
    {"query":"Question: Where do ships sail?","choices":["at sea","in the kitchen","upon the moon"],"gold":0}
    {"query":"Question: What did the king wear?","choices":["a crown","the rain"],"gold":0}
    {"query":"Question: Who wrote the letter to her father?","choices":["the daughter","stone","a cold wind"],"gold":0}
    {"query":"Question: When does the sun rise?","choices":["at night","in the morning"],"gold":1}

    """
  private static let words = """
    {"context":"Once upon a","continuation":"time"}
    {"context":"He was the son of the old","continuation":"man"}

    """

  private func workshop() throws -> Workshop {
    let workshop = try Workshop()
    try Data(Self.choices.utf8).write(to: workshop.folder["choices.jsonl"])
    try Data(Self.words.utf8).write(to: workshop.folder["words.jsonl"])
    return workshop
  }

  @Test func scoresByFileAndPooled() async throws {
    let workshop = try workshop()
    let (choices, words) = (workshop.folder.path("choices.jsonl"), workshop.folder.path("words.jsonl"))
    let arguments = ["score", Posy.model, "--query-suffix", "\nAnswer:", "--questions", choices, choices, words]
    let json = try await laserSucceeds(arguments + ["--json", "--answers", "--mutual-info"]).json
    #expect(Set(json.keys) == ["model", "files", "pooled", "tokens", "seconds"])
    let files = try #require(json["files"]?.array)
    #expect(files.map { $0["questions"]?.string } == [choices, choices, words])
    #expect(files.map { $0["count"]?.integer } == [4, 4, 2])
    #expect(files.map { $0["kind"]?.string } == ["choices", "choices", "continuation"])
    for rule in ["acc", "acc_norm", "acc_bytes", "acc_mutual_info"] {
      let accuracy = try #require(files[0][rule]?["value"]?.number)
      let error = try #require(files[0][rule]?["standard_error"]?.number)
      #expect(abs(error - (accuracy * (1 - accuracy) / 3).squareRoot()) < 1e-12)
      #expect((files[2][rule] == nil) == (rule != "acc"))
    }
    let answers = try #require(files[0]["answers"]?.array)
    #expect(answers.count == 4 && answers[3]["line"]?.integer == 4 && answers[3]["gold"]?.integer == 1)
    for answer in answers {
      let values = (answer["log_likelihoods"]?.array ?? []).compactMap(\.number)
      let best = values.indices.max { values[$0] < values[$1] }
      #expect(answer["choice"]?.integer == best)
      #expect(answer["right"]?.boolean == (best == answer["gold"]?.integer))
      #expect(answer["without_context"]?.array?.count == values.count)
    }
    // Only what the harness gives continuations, and their perplexity.
    let nll = try #require(files[2]["nll"]?["value"]?.number)
    #expect(files[2]["perplexity"]?.number == exp(nll) && files[2]["brier_score"] == nil)
    // Choices are pooled, a single file of continuations is not; the same file twice changes no mean.
    let pooled = try #require(json["pooled"]?.array)
    #expect(pooled.count == 1 && pooled[0]["count"]?.integer == 8)
    #expect(pooled[0]["acc"]?["value"]?.number == files[0]["acc"]?["value"]?.number)

    let table = try await laserSucceeds(arguments).output
    #expect(table.contains("choices.jsonl") && table.contains("all of them") && table.contains("words.jsonl"))
    #expect(table.contains("acc_norm") && table.contains("perplexity") && table.contains("tokens run"))
  }

  /// Threads, memory and the questions beside it change no bit of an answer.
  @Test func answersDependOnNothingElse() async throws {
    let workshop = try workshop()
    func answers(_ more: [String]) async throws -> [[Double?]] {
      let run = try await laserSucceeds(
        ["score", Posy.model, "--json", "--answers", "--questions", workshop.folder.path("choices.jsonl")] + more)
      let found = try run.json["files"]?.array?.first?["answers"]?.array ?? []
      return found.map { ($0["log_likelihoods"]?.array ?? []).map(\.number) }
    }
    let whole = try await answers(["--threads", "1"])
    #expect(whole.count == 4)
    #expect(try await answers(["--threads", "3"]) == whole)
    #expect(try await answers(["--memory", "120M"]) == whole)
    #expect(try await answers(["--limit", "2"]) == Array(whole.prefix(2)))
  }

  @Test func comparesTwoModels() async throws {
    let workshop = try workshop()
    let files = ["choices.jsonl", "words.jsonl"].map(workshop.folder.path)
    let run = try await laserSucceeds(["compare", Posy.base, Posy.model, "--json", "--questions"] + files)
    let json = try run.json
    #expect(json["models"]?.array?.map(\.string) == [Posy.base, Posy.model] && json["rule"]?.string == "acc")
    let rows = try #require(json["files"]?.array)
    let changed = try #require(json["changed"]?.array)
    for (row, file) in zip(rows, files) {
      let mine = changed.filter { $0["questions"]?.string == file }
      let healed = mine.count { $0["healed"]?.boolean == true }
      #expect(row["healed"]?.integer == healed && row["broken"]?.integer == mine.count - healed)
      let count = Double(try #require(row["count"]?.integer))
      let gain = try #require(row["after"]?.number) - #require(row["before"]?.number)
      #expect(abs(gain * count - Double(2 * healed - mine.count)) < 1e-9)
    }
    #expect(json["pooled"]?["count"]?.integer == 6)
    // Each model alone says the same.
    for (path, key) in [(Posy.base, "before"), (Posy.model, "after")] {
      let alone = try await laserSucceeds(["score", path, "--json", "--questions"] + files).json
      #expect(
        alone["files"]?.array?.map { $0["acc"]?["value"]?.number } == rows.map { $0[key]?.number })
    }
    // A model beside itself: nothing changes, and nothing is significant.
    let same = try await laserSucceeds(["compare", Posy.model, Posy.model, "--json", "--questions"] + files).json
    #expect(same["changed"]?.array?.isEmpty == true)
    #expect(same["pooled"]?["p_value"]?.number == 1 && same["pooled"]?["nll"]?["p_value"]?.number == 1)
    let table = try await laserSucceeds(
      ["compare", Posy.base, Posy.model, "--rule", "acc_norm", "--questions"] + files)
    #expect(table.output.contains("healed") && table.output.contains("acc_norm of"))
  }

  @Test func whatCannotBeAskedIsRefused() async throws {
    let workshop = try workshop()
    let bad = workshop.folder.path("bad.jsonl")
    try Data((Self.choices + "{\"query\":\"a\",\"choices\":[\"b\",\"c\"],\"gold\":4}\n").utf8).write(
      to: URL(filePath: bad))
    try await expectFailure(["score", workshop.model, "--questions", bad], naming: ["bad.jsonl, line 5", "gold"])
    try await expectFailure(
      ["score", workshop.model, "--questions", workshop.folder.path("none.jsonl")], naming: ["none.jsonl"])
    let long = String(repeating: "rain and ", count: 400)
    try Data("{\"context\":\"a\",\"continuation\":\"\(long)\"}".utf8).write(to: URL(filePath: bad))
    try await expectFailure(["score", Posy.model, "--questions", bad], naming: ["bad.jsonl, line 1", "positions"])
    for arguments in [
      ["score", Posy.model], ["score", Posy.model, "--questions", bad, "--answers"],
      ["score", Posy.model, "--questions", bad, "--limit", "0"], ["compare", Posy.model, Posy.model],
      ["compare", Posy.model, Posy.model, "--limit", "2", "--text", bad],
      ["compare", Posy.model, Posy.model, "--text", bad, "--questions", bad],
      ["compare", Posy.model, Posy.model, "--rule", "acc_mutual_info", "--questions", bad],
    ] {
      #expect(try await laser(arguments).status == 64, "\(arguments)")
    }
  }
}
