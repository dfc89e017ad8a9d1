package import Checkpoints

/// The shape of a Mixtral that no one trained: what its checkpoint holds, for trying machines and measuring.
package struct SyntheticMixture: Sendable {
  package var layerCount: Int
  package var hiddenSize = 4096
  package var intermediateSize = 14336
  package var expertCount = 8
  package var expertsPerToken = 2
  package var headCount = 32
  package var keyValueHeadCount = 8
  package var vocabularySize = 32000

  package init(layerCount: Int) { self.layerCount = layerCount }

  struct Tensor: Sendable {
    let name: String
    let shape: [Int]
    let kind: Kind
  }

  enum Kind: Sendable {
    /// Ones.
    case norm
    /// Noise of standard deviation 1.
    case embedding
    /// Noise that keeps the size of what it is applied to.
    case plain
    /// The same with strong directions.
    case structured
  }

  /// - Throws: `CheckpointError` for numbers that no Mixtral can have.
  var tensors: [Tensor] {
    get throws(CheckpointError) {
      let file = Configuration(file: "config.json", json: configuration)
      let layout = try Mixtral.layout(Mixtral.configuration(file), file, contains: { _ in false })
      let routers = Set(layout.layers.compactMap(\.router))
      let vectors = layout.vectors
      return layout.all.map { reference in
        let kind: Kind =
          switch reference {
          case _ where vectors.contains(reference): .norm
          case layout.embedding: .embedding
          case _ where reference == layout.head || routers.contains(reference): .plain
          default: .structured
          }
        let shape = kind == .norm ? [reference.columns] : [reference.rows, reference.columns]
        return Tensor(name: reference.tensor, shape: shape, kind: kind)
      }
    }
  }

  /// The checkpoint's config.json.
  package var configuration: JSON {
    let members: [(String, JSON)] = [
      ("architectures", .array([.string(Mixtral.className)])), ("model_type", .string(Mixtral.modelType)),
      ("vocab_size", .integer(vocabularySize)), ("hidden_size", .integer(hiddenSize)),
      ("intermediate_size", .integer(intermediateSize)), ("num_hidden_layers", .integer(layerCount)),
      ("num_attention_heads", .integer(headCount)), ("num_key_value_heads", .integer(keyValueHeadCount)),
      ("num_local_experts", .integer(expertCount)), ("num_experts_per_tok", .integer(expertsPerToken)),
      ("hidden_act", .string("silu")), ("rms_norm_eps", .number(1e-5)), ("rope_theta", .number(1e6)),
      ("max_position_embeddings", .integer(32768)), ("sliding_window", .null),
      ("tie_word_embeddings", .boolean(false)), ("torch_dtype", .string("bfloat16")),
    ]
    return .object(members.map { JSON.Member(key: $0.0, value: $0.1) })
  }
}
