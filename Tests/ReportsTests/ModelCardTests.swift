import Evaluation
import Foundation
import Models
import RankReduction
import Reports
import Search
import Testing
import Yams

struct ModelCardTests {
  private func card(_ change: (inout SampleOutcome) -> Void = { _ in }, scores: Bool = true) throws -> ModelCard {
    var sample = SampleOutcome()
    change(&sample)
    let outcome = try sample.outcome
    return ModelCard(
      model: "model", fingerprint: "aaaa",
      plan: try Self.plan(outcome.kept.map { ($0.tensor, $0.layer, $0.expert, $0.role.rawValue, $0.rank) }),
      report: scores ? JSONReport(outcome) : nil)
  }

  private static func plan(_ entries: [(tensor: String, layer: Int, expert: Int?, role: String, rank: Int)]) throws
    -> Plan
  {
    var yaml = "laser_plan: 1\nmodel: aaaa\nbase: {path: ../base, fingerprint: bbbb}\nreductions:\n"
    if entries.isEmpty { yaml = yaml.replacingOccurrences(of: "reductions:\n", with: "reductions: []\n") }
    for entry in entries {
      yaml += "- {tensor: \(entry.tensor), layer: \(entry.layer), \(entry.expert.map { "expert: \($0), " } ?? "")"
      yaml +=
        "role: \(entry.role), kind: delta, rank: \(entry.rank), full_rank: 64, delta: -0.1, standard_error: 0.1}\n"
    }
    return try YAMLDecoder().decode(Plan.self, from: yaml)
  }

  private func frontMatter(_ readme: String) throws -> [String: Any] {
    let parts = readme.components(separatedBy: "---\n")
    try #require(parts.count >= 3 && parts[0].isEmpty)
    return try #require(try Yams.load(yaml: parts[1]) as? [String: Any])
  }

  @Test func aNewReadme() throws {
    let readme = try card().readme(existing: nil)
    let front = try frontMatter(readme)
    // The name of a folder is none of the Hub's.
    #expect(front["base_model"] == nil && front["base_model_relation"] == nil)
    #expect(front["library_name"] as? String == "transformers")
    #expect(front["tags"] as? [String] == ["laser"])
    for words in [
      "# model, lasered", "## Lasered", "6 matrices have their difference to base reduced in rank", "all held-out text",
      "expert 0: w1 32/64", "laser apply MODEL --plan plan.yaml", "`aaaa`", "`bbbb`",
    ] {
      #expect(readme.contains(words), "\(words)\n\(readme)")
    }
  }

  /// As Hugging Face reads results: huggingface_hub's `model_index_to_eval_results` takes it.
  @Test func theResultsAreInTheIndex() throws {
    let readme = try card().readme(existing: nil)
    let index = try #require(frontMatter(readme)["model-index"] as? [[String: Any]])
    #expect(index.count == 1 && index[0]["name"] as? String == "model, lasered")
    let results = try #require(index[0]["results"] as? [[String: Any]])
    let outcome = try SampleOutcome().outcome
    #expect(results.count == outcome.heldOut.corpora.count)
    for (result, corpus) in zip(results, outcome.heldOut.corpora) {
      #expect((result["task"] as? [String: String])?["type"] == "text-generation")
      let dataset = try #require(result["dataset"] as? [String: String])
      #expect(dataset["type"] == "text" && corpus.path.hasSuffix(dataset["name"] ?? "?"))
      let metric = try #require((result["metrics"] as? [[String: Any]])?.first)
      #expect(metric["type"] as? String == "perplexity")
      #expect((metric["name"] as? String)?.hasPrefix("Perplexity, convention ") == true)
      #expect(metric["value"] as? Double == corpus.result.perplexity)
    }
    // Ours is made anew, and the original's results are not claimed.
    let again = try card({ $0.keepsEvery = 3 }).readme(existing: readme)
    #expect(again.components(separatedBy: "model-index").count == 2 && again != readme)
    let other = "---\nmodel-index:\n- name: theirs\n  results: []\n---\n"
    #expect(try !card().readme(existing: other).contains("theirs"))
    let kept = "---\nlicense: mit\nmodel-index: {name: theirs}\nlanguage: en\n---\n# Theirs\n"
    for scores in [true, false] {
      let front = try frontMatter(card(scores: scores).readme(existing: kept))
      #expect((front["model-index"] != nil) == scores && front["license"] as? String == "mit")
      #expect(front["language"] as? String == "en")
    }
    #expect(try !card(scores: false).readme(existing: kept).contains("model-index"))
    #expect(try frontMatter(card(scores: false).readme(existing: nil))["model-index"] == nil)
  }

  private func filterCard(_ entries: String) throws -> String {
    let yaml = "laser_plan: 2\nmodel: aaaa\nbase: {path: ../base, fingerprint: bbbb}\nreductions:\n\(entries)"
    let plan = try YAMLDecoder().decode(Plan.self, from: yaml)
    return ModelCard(model: "model", fingerprint: "aaaa", plan: plan, report: nil).readme(existing: nil)
  }

  @Test func filtersAreNoRanks() throws {
    func entry(_ role: String, _ what: String) -> String {
      "- {tensor: t, layer: 0, expert: 1, role: \(role), kind: delta, full_rank: 64, \(what)}\n"
    }
    let shrink = entry("w1", "filter: shrink, rank: 20")
    let card = try filterCard(shrink)
    for words in [
      "1 matrix is filtered. The singular directions of the difference to base are weighed one by one, by factors from 0 to 1.",
      "- layer 0, expert 1: w1 20/64",
    ] {
      #expect(card.contains(words), "\(words)\n\(card)")
    }
    #expect(!card.contains("reduced in rank") && !card.contains("rank reduced"))
    let mixed = try filterCard(shrink + entry("w2", "filter: scale, scale: 0.25, rank: 64") + entry("w3", "rank: 4"))
    for words in [
      "3 matrices are filtered. In 1 matrix, the singular directions of the difference to base are cut off behind the strongest.",
      "or its factor:", "w1 20/64, w2 × 0.250, w3 4/64",
    ] {
      #expect(mixed.contains(words), "\(words)\n\(mixed)")
    }
    // Scores go with the matrices that they are of.
    let outcome = try SampleOutcome.filters().outcome
    let entries = outcome.kept.map { trial in
      "- {tensor: t, layer: \(trial.layer), \(trial.expert.map { "expert: \($0), " } ?? "")role: \(trial.role.rawValue), "
        + "kind: delta, full_rank: 64, filter: FILTER, rank: \(trial.rank)}\n"
    }.joined()
    for (filter, hasScores) in [("shrink", true), ("reweight", false)] {
      let yaml = "laser_plan: 2\nmodel: aaaa\nreductions:\n" + entries.replacingOccurrences(of: "FILTER", with: filter)
      let plan = try YAMLDecoder().decode(Plan.self, from: yaml)
      let card = ModelCard(model: "model", fingerprint: "aaaa", plan: plan, report: JSONReport(outcome))
      #expect(card.readme(existing: nil).contains("all held-out text") == hasScores)
    }
  }

  @Test func withoutAReportOfThePlanThereAreNoScores() throws {
    #expect(try !card(scores: false).readme(existing: nil).contains("held-out"))
    let plan = try Self.plan([("other", 0, nil, "w1", 3)])
    let other = ModelCard(
      model: "model", fingerprint: "aaaa", plan: plan, report: JSONReport(try SampleOutcome().outcome))
    #expect(!other.readme(existing: nil).contains("held-out"))
    #expect(other.readme(existing: nil).contains("1 matrix has its difference to base"))
    let elsewhere = try Self.plan(
      SampleOutcome().outcome.kept.map { ($0.tensor, $0.layer, $0.expert, $0.role.rawValue, $0.rank) })
    let applied = ModelCard(
      model: "model", fingerprint: "cccc", plan: elsewhere, report: JSONReport(try SampleOutcome().outcome)
    ).readme(existing: nil)
    #expect(!applied.contains("held-out") && applied.contains("`cccc`") && applied.contains("found on another model"))
    let empty = ModelCard(model: "model", fingerprint: "aaaa", plan: try Self.plan([]), report: nil)
    #expect(empty.readme(existing: nil).contains("no matrix of it is reduced"))
  }

  @Test func anExistingReadmeKeepsItsTextAndItsKeys() throws {
    let existing = """
      ---
      # chosen with care
      license: apache-2.0
      language:
      - en
      tags:
        - merge   # by hand
        - moe
      base_model: [a/b, "c/d"]
      model-index: {name: x}
      ---
      # Mine

      Text with ---
      and more.

      """
    let readme = try card().readme(existing: existing)
    let front = try frontMatter(readme)
    #expect(front["tags"] as? [String] == ["merge", "moe", "laser"])
    #expect(front["base_model"] as? [String] == ["a/b", "c/d"])
    #expect(front["language"] as? [String] == ["en"])
    #expect(
      readme.contains(
        "# chosen with care\nlicense: apache-2.0\nlanguage:\n- en\ntags:\n  - merge   # by hand\n  - moe\n  - laser\n"))
    #expect(readme.contains("\n---\n# Mine\n\nText with ---\nand more.\n\n<!-- laser: begin -->\n## Lasered"))
    // Once more: the section is replaced, the keys are there.
    let text = "\nWritten below.\n"
    let again = try card({ $0.keepsEvery = 3 }).readme(existing: readme + text)
    #expect(again.hasSuffix("<!-- laser: end -->\n" + text))
    #expect(again.components(separatedBy: "## Lasered").count == 2)
    #expect(try frontMatter(again).keys == front.keys)
    #expect(try card({ $0.keepsEvery = 3 }).readme(existing: again) == again)
  }

  @Test(arguments: [
    "---\ntags: laser\n---\n", "---\ntags:\n---\n", "---\ntags: null\n---\n", "---\ntags: []\n---\n", "---\n---\n",
    "---\r\ntags: [x]\r\n---\r\ntext", "\u{FEFF}---\ntags: x\n---\n", "", "text", "---\nno end",
  ])
  func everyFormOfAListTakesATag(_ existing: String) throws {
    let readme = try card().readme(existing: existing)
    let tags = try #require(frontMatter(readme)["tags"])
    #expect((tags as? [String] ?? [tags as? String ?? ""]).contains("laser"))
    for word in ["x", "text", "no end"] where existing.contains(word) { #expect(readme.contains(word)) }
  }

  @Test(arguments: [
    "---\na: b: c\n---\nx", "---\n- list\n---\nx", "---\na: 1\na: 2\n---\nx",
  ])
  func whatIsNoMappingIsLeftToItsAuthor(_ existing: String) throws {
    #expect(try card().readme(existing: existing).hasPrefix(String(existing.dropLast())))
  }

  @Test func onlyAReadmeOfOurOwnIsRecognized() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "laser-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "README.md").path
    func isOwn(_ text: String, as path: String) throws -> Bool {
      try Data(text.utf8).write(to: URL(filePath: path))
      return ModelCard.isOwn(path)
    }
    let own = try card().readme(existing: nil)
    #expect(try isOwn(own, as: path))
    #expect(try !isOwn(own + "A note.\n", as: path))
    #expect(try !isOwn("# model, lasered\n", as: path))
    #expect(try !isOwn(own, as: folder.appending(path: "NOTES.md").path))
  }
}
