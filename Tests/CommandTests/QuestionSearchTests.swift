import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// Searches for right answers, seen from the run folder and from what is written.
struct QuestionSearchTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  /// Questions of a text: which words come next, those of the text or those of another place in it.
  init() throws {
    workshop = try Workshop()
    for name in ["tales.search", "plays.search", "tales.heldout", "plays.heldout"] {
      let words = try String(contentsOfFile: Posy.text(name), encoding: .utf8).split(whereSeparator: \.isWhitespace)
      let lines = (0..<24).map { number in
        let start = number * 23
        func text(_ from: Int, _ count: Int) -> String {
          words[from..<from + count].joined(separator: " ").filter { $0.isLetter || " ,.;".contains($0) } + "."
        }
        let choices = [text(start + 12, 4), text(start + 700, 3)]
        let gold = number % 2
        return
          "{\"query\":\"\(text(start, 12))\",\"choices\":[\"\(choices[gold])\",\"\(choices[1 - gold])\"],\"gold\":\(gold)}"
      }
      try Data(lines.joined(separator: "\n").utf8).write(to: folder["\(name).jsonl"])
    }
  }

  private func files(_ part: String) -> [String] { ["tales", "plays"].map { folder.path("\($0).\(part).jsonl") } }

  private func search(_ out: String, _ more: [String] = [], heldOut: Bool = true) -> [String] {
    ["search", Posy.model, "--layers", "4-5", "--questions"] + files("search")
      + (heldOut ? ["--held-out-questions"] + files("heldout") : []) + ["--out", folder.path(out)] + more
  }

  private func report(_ run: String) throws -> JSON {
    try JSON(parsing: Array(Data(contentsOf: folder["\(run)/report.json"])))
  }

  private func scores(_ model: String, _ files: [String]) async throws -> [JSON] {
    try #require(await laserSucceeds(["score", model, "--json", "--questions"] + files).json["files"]?.array)
  }

  /// The report's numbers are what `laser score` says of both checkpoints, to the last digit.
  @Test(
    arguments: [
      ["--filter", "shrink"],
      ["--strategy", "sweep", "--ranks", "32", "--roles", "w2", "--confidence", "0.5", "--fdr", "1"],
      ["--strategy", "greedy", "--ranks", "16", "--roles", "o_proj", "--confidence", "0.5", "--fdr", "1"],
    ])
  func theCheckpointAnswersAsTheSearchSays(_ how: [String]) async throws {
    let run = try await laserSucceeds(search("run", how))
    #expect(run.output.contains("healed") && run.output.contains("nats/question"))
    try await laserSucceeds([
      "apply", Posy.model, "--plan", folder.path("run/plan.yaml"), "--out", folder.path("lasered"),
    ])
    let report = try report("run")
    for (part, paths) in [("search", files("search")), ("held_out", files("heldout"))] {
      let corpora = try #require(report[part]?["corpora"]?.array)
      for (model, which) in [(Posy.model, "baseline"), (folder.path("lasered"), "result")] {
        let found = try await scores(model, paths)
        #expect(corpora.map { $0[which]?["acc"]?.number } == found.map { $0["acc"]?["value"]?.number })
        #expect(corpora.map { $0[which]?["acc_norm"]?.number } == found.map { $0["acc_norm"]?["value"]?.number })
        #expect(corpora.map { $0[which]?["nll"]?.number } == found.map { $0["nll"]?["value"]?.number })
      }
    }
    if report["plan"]?.array?.isEmpty == false {
      let (before, after) = (report["search"]?["baseline"]?["nll"]?.number, report["search"]?["result"]?["nll"]?.number)
      #expect(try #require(after) < #require(before))
      let card = try String(contentsOf: folder["lasered/README.md"], encoding: .utf8)
      #expect(card.contains("type: multiple-choice") && card.contains("type: acc_norm"))
      try await expectBenchmarks(report)
    }
    let changes = try #require(
      await laserSucceeds(
        ["compare", Posy.model, folder.path("lasered"), "--json", "--questions"] + files("heldout")
      ).json["changed"]?.array)
    let page = try String(contentsOf: folder["run/report.html"], encoding: .utf8)
    #expect(page.contains("<h2>Answers</h2>") && page.contains("accuracy"))
    let markdown = try String(contentsOf: folder["run/report.md"], encoding: .utf8)
    #expect(markdown.contains("## Answers") && markdown.contains("--held-out-questions"))
    #expect(markdown.contains("| questions | acc | after | change |"))
    // The questions that changed, as comparing the checkpoints finds them.
    #expect(page.contains("Questions healed and broken") == !changes.isEmpty)
    for change in changes {
      let line = "tales.heldout.jsonl, line \(try #require(change["line"]?.integer))"
      if change["questions"]?.string?.hasSuffix("tales.heldout.jsonl") == true { #expect(page.contains(line)) }
    }
    // The same command reads what is there.
    let again = try await laserSucceeds(search("run", how))
    #expect(again.output == run.output)
  }

  /// Scores of a dataset with a leaderboard are written where the Hub looks for them, and the original's are not copied.
  private func expectBenchmarks(_ report: JSON) async throws {
    try FileManager.default.copyItem(at: URL(filePath: Posy.model), to: folder["original"])
    try FileManager.default.createDirectory(at: folder["original/.eval_results"], withIntermediateDirectories: true)
    try Data("- value: 99\n".utf8).write(to: folder["original/.eval_results/old.yaml"])
    let apply = [
      "apply", folder.path("original"), "--plan", folder.path("run/plan.yaml"), "--out", folder.path("scored"),
    ]
    let benchmark = ["--benchmark", "tales.heldout.jsonl=some/tales:default"]
    try await laserSucceeds(apply + benchmark)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("scored/.eval_results"))
    #expect(names == ["tales.yaml"])
    let text = try String(contentsOf: folder["scored/.eval_results/tales.yaml"], encoding: .utf8)
    let accuracy = try #require(report["held_out"]?["corpora"]?.array?.first?["result"]?["acc"]?.number)
    #expect(text.contains("id: some/tales") && text.contains("task_id: default"))
    #expect(text.contains("value: " + String(format: "%.2f", 100 * accuracy)))
    // Its own folder may be written again.
    try await laserSucceeds(apply + benchmark + ["--force"])
    try await expectFailure(
      apply + ["--force", "--benchmark", "other.jsonl=some/tales:default"], naming: ["other.jsonl"])
    #expect(try await laser(apply + ["--benchmark", "nonsense"]).status == 64)
  }

  /// LASER's own protocol: a fifth of the questions selects, the others report; the same ones each time.
  @Test func aFifthOfTheQuestionsSelects() async throws {
    for out in ["one", "two"] {
      try await laserSucceeds(
        search(
          out, ["--strategy", "sweep", "--ranks", "32", "--roles", "w2", "--layers", "5", "--confidence", "0.5"],
          heldOut: false))
    }
    let first = try String(contentsOf: folder["one/journal.jsonl"], encoding: .utf8).split(separator: "\n")
    let header = try JSON(parsing: Array(#require(first.first).utf8))
    #expect(header["inputs"]?["text"]?.array?.map { $0["windows"]?.integer } == [5, 5])
    #expect(header["inputs"]?["held_out"]?.array?.map { $0["windows"]?.integer } == [19, 19])
    #expect(try RunFiles(folder["one"]) == RunFiles(folder["two"]))
    let names = try report("one")["held_out"]?["corpora"]?.array?.map { $0["name"]?.string }
    #expect(names == ["tales.search.jsonl, four fifths", "plays.search.jsonl, four fifths"])
  }

  /// Beside text a question counts as so many tokens that all are a share of the whole.
  @Test func textAndQuestionsTogether() async throws {
    try await laserSucceeds(
      search(
        "run",
        [
          "--question-share", "0.25", "--context", "64", "--strategy", "sweep", "--ranks", "32", "--roles", "w2",
          "--layers", "5", "--confidence", "0.5", "--fdr", "1", "--text", workshop.searchTexts[0], "--held-out",
          workshop.heldOutTexts[0],
        ]))
    let report = try report("run")
    let corpora = try #require(report["search"]?["corpora"]?.array)
    #expect(corpora.count == 3 && corpora[0]["baseline"]?["acc"] == nil)
    let nlls = corpora.compactMap { $0["baseline"]?["nll"]?.number }
    let text = try await laserSucceeds(
      ["perplexity", Posy.model, "--context", "64", "--json", "--text", workshop.searchTexts[0]]
    ).json["corpora"]?.array?.first
    #expect(text?["nll"]?.number == nlls[0])
    // 24 questions of each file; rounding to whole tokens moves the share a little.
    let whole = try #require(report["search"]?["baseline"]?["nll"]?.number)
    let expected = 0.75 * nlls[0] + 0.25 * (nlls[1] + nlls[2]) / 2
    #expect(abs(whole - expected) < 0.02 * expected)
  }

  @Test func settingsThatContradictAreRefused() async throws {
    let questions = files("search")
    for arguments in [
      ["--questions", questions[0], "--held-out", "a.txt"], ["--held-out-questions", questions[0], "--text", "a.txt"],
      ["--questions", questions[0], "--question-share", "0.5"], ["--text", "a.txt", "--query-suffix", "x"],
      ["--questions", questions[0], "--text", "a.txt", "--question-share", "1"],
    ] {
      #expect(try await laser(["search", Posy.model, "--out", folder.path("run")] + arguments).status == 64)
    }
    try await expectFailure(
      ["search", Posy.model, "--out", folder.path("run"), "--held-out-questions", questions[0], "--questions"]
        + questions, naming: ["given twice"])
  }
}
