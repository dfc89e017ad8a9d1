package import Checkpoints
package import Tensors

/// The mixture that dense models of one shape become when the feed-forward layers of each are made an expert: a Mixtral,
/// with everything else of the base's.
package struct MergedMixture: Sendable {
  /// Where a tensor of the mixture comes from.
  package enum Origin: Sendable {
    /// The base's tensor.
    case base(TensorReference)
    /// A parent's feed-forward matrix, as the parent names it; `isOutput` for w2, which writes into the residual stream.
    case expert(Int, TensorReference, isOutput: Bool)
    /// The rows are to be made.
    case router(layer: Int)
  }

  package struct Tensor: Sendable {
    package let name: String
    package let shape: [Int]
    package let origin: Origin
  }

  package let tensors: [Tensor]
  /// config.json.
  package let configuration: JSON

  /// - Parameters:
  ///   - base: A dense Llama or Mistral.
  ///   - type: What all tensors of the mixture are stored in.
  /// - Throws: `CheckpointError` for a base that no Mixtral can hold.
  package init(
    base: Model, expertCount: Int, expertsPerToken: Int, type: ElementType
  ) throws(CheckpointError) {
    try Self.refuseUnmergeable(base.checkpoint)
    tensors = Self.tensors(base, expertCount: expertCount)
    configuration = try Self.configuration(
      base, expertCount: expertCount, expertsPerToken: expertsPerToken, type: type)
  }

  /// - Throws: `CheckpointError` for a checkpoint that is neither a Llama nor a Mistral.
  package static func refuseUnmergeable(_ checkpoint: Checkpoint) throws(CheckpointError) {
    let file = checkpoint.configuration
    guard checkpoint.gguf == nil else {
      throw file.error(.unsupported, "GGUF files cannot be merged; give the folders that they were made from")
    }
    let modelType = try file.string("model_type")
    guard (Llama.modelTypes + Mistral.modelTypes).contains(modelType) else {
      throw file.error(
        .unsupported, "a \"\(modelType)\" cannot be merged; experts are made of dense llama and mistral models")
    }
  }

  private static func tensors(_ base: Model, expertCount: Int) -> [Tensor] {
    var result: [Tensor] = []
    for (number, layer) in base.layout.layers.enumerated() {
      let block = "model.layers.\(number).block_sparse_moe."
      result.append(
        Tensor(
          name: block + "gate.weight", shape: [expertCount, base.configuration.hiddenSize],
          origin: .router(layer: number)))
      let dense = layer.experts[0]
      for expert in 0..<expertCount {
        for (name, matrix) in [("w1", dense.gate), ("w2", dense.down), ("w3", dense.up)] {
          result.append(
            Tensor(
              name: block + "experts.\(expert).\(name).weight", shape: [matrix.rows, matrix.columns],
              origin: .expert(expert, matrix, isOutput: name == "w2")))
        }
      }
    }
    // All else is named as in Llama. Tied embeddings are one tensor under two references.
    var seen = Set(
      base.layout.layers.flatMap { [$0.experts[0].gate, $0.experts[0].up, $0.experts[0].down] }.map(\.name))
    for reference in base.layout.all where seen.insert(reference.name).inserted {
      let shape = reference.rows == 1 ? [reference.columns] : [reference.rows, reference.columns]
      result.append(Tensor(name: reference.name, shape: shape, origin: .base(reference)))
    }
    return result
  }

  // MARK: config.json

  /// Keys of dense models that a Mixtral does not have, and what would lead to other code or another place.
  private static let dropped = [
    "_name_or_path", "attention_bias", "auto_map", "mlp_bias", "pretraining_tp", "rope_interleaved",
  ]

  /// The base's, in its order, as a Mixtral's. What the base leaves to its architecture's defaults is written out, for
  /// Mixtral's defaults are others.
  private static func configuration(
    _ base: Model, expertCount: Int, expertsPerToken: Int, type: ElementType
  ) throws(CheckpointError) -> JSON {
    let file = base.checkpoint.configuration
    let isLlama = try Llama.modelTypes.contains(file.string("model_type"))
    var members = (file.json.members ?? []).filter { !dropped.contains($0.key) }
    func set(_ key: String, _ value: JSON, onlyIfMissing: Bool = false) {
      let member = JSON.Member(key: key, value: value)
      if let index = members.firstIndex(where: { $0.key == key }) {
        if !onlyIfMissing || members[index].value.isNull { members[index] = member }
      } else {
        members.append(member)
      }
    }
    set("architectures", .array([.string("MixtralForCausalLM")]))
    set("model_type", .string(Mixtral.modelTypes[0]))
    // transformers 5 writes "dtype".
    set(file.isAbsent("dtype") ? "torch_dtype" : "dtype", type.configurationName.map { .string($0) } ?? .null)
    set("num_key_value_heads", .integer(base.configuration.keyValueHeadCount))
    if isLlama { set("sliding_window", .null) }
    if !isLlama, file.isAbsent("sliding_window") { set("sliding_window", .integer(4096)) }  // null says none
    set("rms_norm_eps", .number(1e-6), onlyIfMissing: true)
    if file["rope_parameters"] == nil { set("rope_theta", .number(10_000), onlyIfMissing: true) }
    if isLlama { set("max_position_embeddings", .integer(2048), onlyIfMissing: true) }
    set("num_local_experts", .integer(expertCount))
    set("num_experts_per_tok", .integer(expertsPerToken))
    // For those who train it further.
    set("output_router_logits", .boolean(false))
    set("router_aux_loss_coef", .number(0.01))
    return .object(members)
  }
}

extension ElementType {
  /// As torch_dtype in config.json says it; nil for types that only GGUF has.
  package var configurationName: String? {
    switch self {
    case .bfloat16: "bfloat16"
    case .float16: "float16"
    case .float32: "float32"
    default: nil
    }
  }

  package init?(configurationName name: String) {
    guard let type = Self.allCases.first(where: { $0.configurationName == name }) else { return nil }
    self = type
  }
}
