import CheckpointFixtures
import Checkpoints
import Foundation
import Merging
import Models
import RankReduction
import Reports
import Search

extension FuzzTarget {
  private static let runWords = [
    "settings", "trial", "rung", "result", "sweep", "filters", "together", "greedy", "original", "shrink", "truncate",
    "w1",
    "q_proj", "weights", "delta", "measured", "size", "layer", "expert", "rank", "fullRank", "windows", "tokens", "nll",
    "strategy", "ranks", "context", "base", "1e308", "-1", "0.5", "laser_plan", "reductions", "factors",
  ].map { Array($0.utf8) }

  // MARK: A run folder

  /// A finished run described: the lines of its files, and the factors beside its plan.
  static let runFolder = FuzzTarget(
    name: "run", seeds: [], pieces: runWords,
    structure: Structure(seeds: ["sweep", "filters"].map { Corpus.json("runs/\($0).json") }) {
      Array($0.compact.utf8)
    }
  ) { bytes, path in
    ending {
      let description = try JSON(parsing: bytes)
      let folder = path + ".folder"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for name in ["journal", "spectra"] {
        let lines = (description[name]?.array ?? []).map { $0.compact + "\n" }
        try Data(lines.joined().utf8).write(to: URL(filePath: "\(folder)/\(name).jsonl"))
      }
      try Data(factors(description["factors"])).write(to: URL(filePath: folder + "/plan.safetensors"))
      let outcome = try SearchOutcome(folder: folder)
      let texts = [
        HTMLReport.text(outcome), MarkdownReport.text(outcome), try jsonText(JSONReport(outcome)),
      ]
      for trial in outcome.kept.prefix(100) { _ = outcome.reduction(of: trial) }
      return "\(outcome.trials.count) \(outcome.kept.count) \(outcome.verdict) \(texts.contains(where: \.isEmpty))"
    }
  }

  private static func factors(_ json: JSON?) -> [UInt8] {
    SafetensorsVectors.bytes(
      Dictionary((json?.members ?? []).map { ($0.key, ($0.value.array ?? []).map { Float($0.number ?? 0) }) }) { $1 })
  }

  // MARK: Plans, recipes, merges

  private static let plan = """
    {"laser_plan": 2, "model": "0123456789abcdef", "base": {"path": "b", "fingerprint": "0123456789abcdef"},
     "reductions": [{"tensor": "t", "layer": 0, "expert": 0, "role": "w1", "kind": "weights", "rank": 4, "full_rank": 16,
     "matrix": "0123456789abcdef", "delta": -0.1, "standard_error": 0.01}, {"tensor": "t", "layer": 1, "role": "q_proj",
     "kind": "weights", "filter": "scale", "scale": 0.5, "rank": 16, "full_rank": 16}, {"tensor": "t", "layer": 1,
     "expert": 1, "role": "w2", "kind": "weights", "filter": "shrink", "rank": 9, "full_rank": 16}],
     "factors": {"1.1.w2": [0, 1, 2, 0.5, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]}}
    """

  /// JSON is YAML. The plan is applied to a small model as far as that is quick.
  static let planFile = yaml("plan", [plan]) { path, description in
    let factors = factors(description?["factors"])
    try Data(factors).write(to: URL(filePath: FilterFile.path(besidePlan: path)))
    let read = try Plan(file: path)
    _ = try read.yaml
    let folder = path + ".model"
    if !FileManager.default.fileExists(atPath: folder) { try TinyModel().write(to: URL(filePath: folder)) }
    let reducer = try Reducer(Model(path: folder), base: nil)
    let reductions = try read.reductions(for: reducer.model)
    let forms = try reducer.factoredForms(of: reductions)
    try reducer.check(reductions)
    _ = reductions.map { $0.filter.changedCount(fullRank: reducer.fullRank(of: $0.site)) }
    return "\(reductions.count) \(!forms.isEmpty)"
  }

  static let recipe = yaml(
    "recipe",
    [
      #"{"model": "m", "text": ["a", "b"], "held_out": "c", "out": "run", "ranks": ["8", "0.5"], "strategy": "sweep"}"#,
      #"{"model": ["m", "n"], "base": "b", "text": "a", "out": "run", "filter": ["select", "shrink"], "roles": ["w1"]}"#,
      #"{"model": "m", "text": "a", "out": "r", "layers": "0-5,7", "budget": "2h", "checkpoint": "c", "factored": true}"#,
    ]
  ) { path, _ in
    let file = try RecipeFile(file: path)
    return file.members.map { "\($0.settings.strategy.name) \($0.products.isFactored)" }.joined(separator: ",")
  }

  static let merge = yaml(
    "merge",
    [
      #"{"base_model": "b", "gate_mode": "hidden", "dtype": "bfloat16", "experts_per_token": 1, "experts": "#
        + #"[{"source_model": "a", "positive_prompts": ["x"], "noise_scale": 0.1, "residual_scale": 0.5}, "#
        + #"{"source_model": "c", "positive_prompts": ["y"], "negative_prompts": ["x"]}], "seed": 3}"#
    ]
  ) { path, _ in
    let read = try MergeConfiguration(file: path)
    return "\(read.experts.count) \(read.gateMode) \(read.shared == nil)"
  }

  private static func yaml(
    _ name: String, _ seeds: [String],
    _ use: @escaping @Sendable (_ path: String, _ description: JSON?) throws -> String
  ) -> FuzzTarget {
    let descriptions = seeds.map { text -> JSON in
      guard let json = try? JSON(parsing: Array(text.utf8)) else { fatalError("a seed is no JSON") }
      return json
    }
    return FuzzTarget(
      name: name, seeds: seeds.map { Array($0.utf8) },
      pieces: runWords
        + ["- ", ": ", "\n", "&a ", "*a", "<<: *a", "!!binary ", "|\n", "? ", "%YAML 1.1\n---\n", "~", ".nan", "0x7f"]
        .map { Array($0.utf8) },
      structure: Structure(seeds: descriptions) { Array($0.compact.utf8) }
    ) { bytes, path in
      ending {
        // The file is called as people call it, so that other files may lie beside it.
        let file = path + ".yaml"
        try Data(bytes).write(to: URL(filePath: file))
        return try use(file, try? JSON(parsing: bytes))
      }
    }
  }
}
