internal import FoundationEssentials
package import Tensors

/// A folder with a low-rank adapter as PEFT has it: adapter_config.json and adapter_model.safetensors.
///
/// A module's weight W (out, in) becomes W + (alpha / r) B A with `lora_B.weight` (out, r) and `lora_A.weight` (r, in).
/// Ranks differ from module to module, so that rank and alpha are given for each; the scale is always 1.
/// Source: github.com/huggingface/peft, src/peft/tuners/lora/config.py and layer.py.
package struct AdapterFolder {
  package struct Module: Sendable {
    /// "model.layers.0.self_attn.q_proj"
    package let name: String
    /// B · A
    package let factors: LowRankFactors

    package init(name: String, factors: LowRankFactors) {
      self.name = name
      self.factors = factors
    }
  }

  private let place: FolderReplacement

  private static let configurationName = "adapter_config.json"
  private static let weightsStem = "adapter_model"

  /// Checks, before any work, that the target may be written.
  ///
  /// - Parameters:
  ///   - models: Folders that the target must not be, nor hold, nor lie in.
  ///   - paths: What the caller still needs: the target must neither be nor hold it.
  ///   - isOwn: Whether another file of an existing folder, by its path, may be replaced.
  package init(
    _ target: String, replacesExisting: Bool, models: [String], protecting paths: [String],
    recognizing isOwn: @escaping (String) -> Bool
  ) throws(CheckpointError) {
    let known = [Self.configurationName, Self.weightsStem + ".safetensors"]
    place = try FolderReplacement(
      of: target, kind: Self.kind, replacesExisting: replacesExisting, sources: models,
      protecting: paths, mayReplace: { known.contains($0) || isOwn(target + "/" + $0) })
  }

  private static var kind: FolderReplacement.Kind {
    .init(words: "an adapter") { FileManager.default.fileExists(atPath: $0 + "/" + configurationName) }
  }

  /// The module that a matrix is the weight of.
  package static func module(ofTensor name: String) -> String? {
    name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : nil
  }

  /// - Parameters:
  ///   - parameters: Of experts; of two of one module, gate_up_proj comes before down_proj, as in the module.
  ///   - base: The name on the Hugging Face Hub of the model that the adapter is for; nil where it is not known.
  ///   - texts: By name, the folder's other files.
  package func write(
    _ modules: [Module], _ parameters: [Parameter] = [], base: String?, texts: [String: String]
  ) throws {
    var tensors: [(name: String, matrix: StoredMatrix)] = []
    for module in modules {
      let prefix = "base_model.model.\(module.name)."
      tensors += [(prefix + "lora_A.weight", module.factors.right), (prefix + "lora_B.weight", module.factors.left)]
    }
    for parameter in parameters {
      let prefix = parameter.prefix(among: parameters)
      tensors += [(prefix + "lora_A.weight", parameter.right), (prefix + "lora_B.weight", parameter.left)]
    }
    let matrices = Dictionary(uniqueKeysWithValues: tensors)
    try place.perform { folder in
      let writer = SafetensorsWriter(
        tensors.map { .init(name: $0.name, type: $0.matrix.type, shape: [$0.matrix.rows, $0.matrix.columns]) },
        to: folder, shardSize: .max, stem: Self.weightsStem)
      for tensor in writer.tensors {
        if let matrix = matrices[tensor.name] { try writer.append(matrix, of: tensor.name) }
      }
      try writer.finish()
      try AtomicFile.write(
        Self.configuration(modules, parameters, base: base).indented + "\n", to: folder + "/" + Self.configurationName)
      for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
        try AtomicFile.write(text, to: folder + "/" + name)
      }
    }
  }

  private static func configuration(_ modules: [Module], _ parameters: [Parameter], base: String?) -> JSON {
    let ordered = modules.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    let ranks = ordered.map { ($0.name, $0.factors.rank) } + parameters.map { ($0.name, $0.rank) }
    let rank = ranks.map(\.1).max() ?? 0
    // Keys are regular expressions, but the dots of a path match no other path of a model.
    let others = JSON.object(
      ranks.filter { $0.1 != rank }.map { JSON.Member(key: $0.0, value: .integer($0.1)) })
    let members: [(String, JSON)] = [
      ("peft_type", .string("LORA")), ("task_type", .string("CAUSAL_LM")),
      ("base_model_name_or_path", base.map(JSON.string) ?? .null),
      ("r", .integer(rank)), ("lora_alpha", .integer(rank)), ("rank_pattern", others), ("alpha_pattern", others),
      ("target_modules", .array(ordered.map { .string($0.name) })), ("lora_dropout", .number(0)),
      ("bias", .string("none")), ("fan_in_fan_out", .boolean(false)), ("use_rslora", .boolean(false)),
      ("use_dora", .boolean(false)), ("modules_to_save", .null), ("inference_mode", .boolean(true)),
    ]
    let targets =
      parameters.isEmpty ? [] : [("target_parameters", JSON.array(parameters.map { .string($0.name) }))]
    return .object((members + targets).map { JSON.Member(key: $0.0, value: $0.1) })
  }
}
