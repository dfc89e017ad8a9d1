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
    var mixed = base.configuration
    mixed.mixture = TransformerConfiguration.Mixture(expertCount: expertCount, expertsPerToken: expertsPerToken)
    tensors = Self.tensors(Mixtral.layout(mixed), base: base.layout)
    configuration = Self.configuration(base, mixed, type: type)
  }

  /// - Throws: `CheckpointError` for a checkpoint that is neither a Llama nor a Mistral.
  package static func refuseUnmergeable(_ checkpoint: Checkpoint) throws(CheckpointError) {
    let file = checkpoint.configuration
    let modelType = try file.string("model_type")
    guard (Llama.modelTypes + Mistral.modelTypes).contains(modelType) else {
      throw file.error(
        .unsupported, "a \"\(modelType)\" cannot be merged; experts are made of dense llama and mistral models")
    }
  }

  private static func tensors(_ mixture: TensorLayout, base: TensorLayout) -> [Tensor] {
    var result: [Tensor] = []
    var names: Set<String> = []
    func add(_ reference: TensorReference, _ origin: Origin) {
      // Tied embeddings are one tensor under two references.
      guard names.insert(reference.name).inserted else { return }
      var shape = [reference.rows, reference.columns]
      if case .base = origin, reference.rows == 1 { shape = [reference.columns] }
      result.append(Tensor(name: reference.name, shape: shape, origin: origin))
    }
    for reference in [mixture.embedding, mixture.finalNorm, mixture.head] { add(reference, .base(reference)) }
    for (number, layer) in mixture.layers.enumerated() {
      for reference in [
        layer.attentionNorm, layer.query, layer.key, layer.value, layer.output, layer.feedForwardNorm,
      ] { add(reference, .base(reference)) }
      if let router = layer.router { add(router, .router(layer: number)) }
      for (expert, matrices) in layer.experts.enumerated() {
        let dense = base.layers[number].experts[0]
        add(matrices.gate, .expert(expert, dense.gate, isOutput: false))
        add(matrices.up, .expert(expert, dense.up, isOutput: false))
        add(matrices.down, .expert(expert, dense.down, isOutput: true))
      }
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
    _ base: Model, _ mixed: TransformerConfiguration, type: ElementType
  ) -> JSON {
    let file = base.checkpoint.configuration
    let typeName = JSON.string(type.configurationName)
    var members: [JSON.Member] = []
    func set(_ key: String, _ value: JSON, onlyIfAbsent: Bool = false) {
      let member = JSON.Member(key: key, value: value)
      if let index = members.firstIndex(where: { $0.key == key }) {
        if !onlyIfAbsent { members[index] = member }
      } else {
        members.append(member)
      }
    }
    members = (file.json.members ?? []).filter { !dropped.contains($0.key) }
    set("architectures", .array([.string("MixtralForCausalLM")]))
    set("model_type", .string(Mixtral.modelTypes[0]))
    // transformers 5 writes "dtype".
    set(members.contains { $0.key == "dtype" } ? "dtype" : "torch_dtype", typeName)
    set("num_key_value_heads", .integer(mixed.keyValueHeadCount))
    set("sliding_window", mixed.slidingWindow.map { .integer($0) } ?? .null)
    set("rms_norm_eps", .number(Double("\(mixed.normEpsilon)") ?? Double(mixed.normEpsilon)), onlyIfAbsent: true)
    if file["rope_parameters"] == nil { set("rope_theta", .number(mixed.rotaryBase), onlyIfAbsent: true) }
    if Llama.modelTypes.contains((try? file.string("model_type")) ?? "") {
      set("max_position_embeddings", .integer(2048), onlyIfAbsent: true)
    }
    set("num_local_experts", .integer(mixed.expertCount))
    set("num_experts_per_tok", .integer(mixed.expertsPerToken))
    // For those who train it further.
    set("output_router_logits", .boolean(false))
    set("router_aux_loss_coef", .number(0.01))
    return .object(members)
  }
}

extension ElementType {
  /// As torch_dtype in config.json says it.
  package var configurationName: String {
    switch self {
    case .bfloat16: "bfloat16"
    case .float16: "float16"
    case .float32: "float32"
    }
  }

  package init?(configurationName name: String) {
    guard let type = Self.allCases.first(where: { $0.configurationName == name }) else { return nil }
    self = type
  }
}
