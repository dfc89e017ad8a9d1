package import Checkpoints
package import Tensors

/// The mixture that dense models of one shape become when the feed-forward layers of each are made an expert, with
/// everything else of the base's.
package struct MergedMixture: Sendable {
  /// What the mixture is. It follows from what its parents are.
  package enum Family: Sendable {
    /// Of Llama and Mistral parents.
    case mixtral
    /// Of Qwen2 parents, whose biases a Mixtral has no place for. Beside the experts that the router chooses from it has a
    /// shared one that every token goes to.
    case qwen2MoE

    package var hasSharedExpert: Bool { self == .qwen2MoE }
  }

  /// Where a tensor of the mixture comes from.
  package enum Origin: Sendable {
    /// The base's tensor.
    case base(TensorReference)
    /// A parent's feed-forward matrix, as the parent names it; `isOutput` for w2, which writes into the residual stream. The
    /// shared expert has the number after the others'.
    case expert(Int, TensorReference, isOutput: Bool)
    /// The rows are to be made.
    case router(layer: Int)
    /// The one row that weighs the shared expert is to be made.
    case sharedGate(layer: Int)
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
  ///   - base: A dense Llama, Mistral or Qwen2.
  ///   - expertCount: Of those that the router chooses from.
  ///   - type: What all tensors of the mixture are stored in.
  /// - Throws: `CheckpointError` for a base that no mixture can hold.
  package init(
    base: Model, expertCount: Int, expertsPerToken: Int, type: ElementType
  ) throws(CheckpointError) {
    let family = try Self.family(of: base.checkpoint)
    tensors = Self.tensors(base, family, expertCount: expertCount)
    let described = Description(base: base, expertCount: expertCount, expertsPerToken: expertsPerToken, type: type)
    configuration = try described.configuration(family)
  }

  /// What a checkpoint can become a part of.
  ///
  /// - Throws: `CheckpointError` for one that is not dense, or is computed as no mixture is.
  package static func family(of checkpoint: Checkpoint) throws(CheckpointError) -> Family {
    let file = checkpoint.configuration
    guard checkpoint.gguf == nil else {
      throw file.error(.unsupported, "GGUF files cannot be merged; give the folders that they were made from")
    }
    let modelType = try file.string("model_type")
    if Qwen2.modelTypes.contains(modelType) { return .qwen2MoE }
    guard (Llama.modelTypes + Mistral.modelTypes).contains(modelType) else {
      throw file.error(
        .unsupported, "a \"\(modelType)\" cannot be merged; experts are made of dense llama, mistral and qwen2 models")
    }
    guard try !file.flag("attention_bias", default: false) else {
      throw file.error(
        .unsupported, "a model with \"attention_bias\" cannot be merged: a Mixtral has no place for biases")
    }
    return .mixtral
  }

  private static func tensors(_ base: Model, _ family: Family, expertCount: Int) -> [Tensor] {
    let hidden = base.configuration.hiddenSize
    var result: [Tensor] = []
    for (number, layer) in base.layout.layers.enumerated() {
      let (block, roles) =
        switch family {
        case .mixtral: ("model.layers.\(number).block_sparse_moe.", ["w1", "w2", "w3"])
        case .qwen2MoE: ("model.layers.\(number).mlp.", ["gate_proj", "down_proj", "up_proj"])
        }
      func add(expert: Int, _ prefix: String) {
        let dense = layer.experts[0]
        for (role, matrix) in zip(roles, [dense.gate, dense.down, dense.up]) {
          result.append(
            Tensor(
              name: "\(block)\(prefix).\(role).weight", shape: [matrix.rows, matrix.columns],
              origin: .expert(expert, matrix, isOutput: matrix == dense.down)))
        }
      }
      result.append(
        Tensor(name: block + "gate.weight", shape: [expertCount, hidden], origin: .router(layer: number)))
      for expert in 0..<expertCount { add(expert: expert, "experts.\(expert)") }
      if family.hasSharedExpert {
        result.append(
          Tensor(
            name: block + "shared_expert_gate.weight", shape: [1, hidden], origin: .sharedGate(layer: number)))
        add(expert: expertCount, "shared_expert")
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
