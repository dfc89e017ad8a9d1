import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// The repository's own small model, its base and its texts.
enum Posy {
  static let folder = URL(filePath: #filePath).appending(path: "../../../runs/posy").standardized
  static let model = folder.appending(path: "model").path
  static let base = folder.appending(path: "base").path

  static func text(_ name: String) -> String { folder.appending(path: "text/\(name).txt").path }
}

/// A folder with a tiny random model, posy's tokenizer, two short texts to search on and two to hold out.
struct Workshop {
  let folder: TemporaryFolder
  var model: String { folder.path("model") }
  let searchTexts: [String]
  let heldOutTexts: [String]

  init(_ tiny: TinyModel = Self.tinyModel()) throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    func excerpt(_ name: String) throws -> String {
      let text = try String(contentsOfFile: Posy.text(name), encoding: .utf8)
      try Data(text.prefix(3000).utf8).write(to: folder["\(name).txt"])
      return folder.path("\(name).txt")
    }
    searchTexts = try ["tales.search", "plays.search"].map(excerpt)
    heldOutTexts = try ["tales.heldout", "plays.heldout"].map(excerpt)
    try addModel(tiny, named: "model")
  }

  /// Posy's tokenizer has 2048 tokens.
  static func tinyModel(seed: UInt64 = 1) -> TinyModel { TinyModel(seed: seed, vocabularySize: 2048) }

  func addModel(_ tiny: TinyModel, named name: String) throws {
    try tiny.write(to: folder[name])
    try addTokenizer(to: name)
  }

  func addTokenizer(to name: String) throws {
    try FileManager.default.copyItem(
      at: URL(filePath: Posy.model + "/tokenizer.json"), to: folder[name].appending(path: "tokenizer.json"))
  }

  func fingerprint(_ name: String = "model") throws -> String {
    try Checkpoint(path: folder.path(name)).fingerprint.description
  }

  // MARK: Commands

  /// Any decrease is kept, so that random weights give a plan.
  func search(
    out: String, model: String? = nil, text: [String]? = nil, ranks: String = "8,4,0.1", more: [String] = []
  ) -> [String] {
    ["search", model ?? self.model, "--text"] + (text ?? searchTexts) + ["--held-out"] + heldOutTexts
      + [
        "--out", folder.path(out), "--context", "32", "--confidence", "0.5", "--fdr", "1", "--strategy", "sweep",
        "--ranks", ranks,
      ] + more
  }

  func perplexity(_ model: String, _ texts: [String]) -> [String] {
    ["perplexity", folder.path(model), "--json", "--context", "32", "--text"] + texts
  }

  // MARK: Plans

  /// A plan of entries in YAML, written by hand.
  func writePlan(_ name: String, of modelFingerprint: String? = nil, entries: [String]) throws -> String {
    let head = "laser_plan: 1\nmodel: '\(try modelFingerprint ?? fingerprint())'\nreductions:\n"
    try Data((head + entries.joined()).utf8).write(to: folder[name])
    return folder.path(name)
  }

  static func entry(layer: Int = 0, expert: Int? = 0, role: String = "w1", rank: Int, fullRank: Int = 16) -> String {
    """
    - tensor: whatever
      layer: \(layer)\(expert.map { "\n  expert: \($0)" } ?? "")
      role: \(role)
      kind: weights
      rank: \(rank)
      full_rank: \(fullRank)
      delta: -0.1
      standard_error: 0.01

    """
  }
}

/// The files of a run folder that two runs of one search must share, apart from when they were made and the time they took.
struct RunFiles: Equatable {
  let plan: String
  let report: [String]

  init(_ folder: URL) throws {
    plan = try String(contentsOf: folder.appending(path: "plan.yaml"), encoding: .utf8)
    report = try String(contentsOf: folder.appending(path: "report.json"), encoding: .utf8)
      .split(separator: "\n").map(String.init).filter { line in
        !["seconds", "started"].contains { line.contains("\"\($0)\"") }
      }
  }
}

extension JSON {
  /// The keys of an object, in their order.
  var keys: [String] { members?.map(\.key) ?? [] }
}
