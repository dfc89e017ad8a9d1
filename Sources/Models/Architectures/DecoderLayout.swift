internal import Checkpoints

/// Lays out a decoder under the names that Llama and its descendants share in Hugging Face checkpoints. An architecture
/// says what is different, and what its feed-forward layers are.
struct DecoderLayout {
  typealias FeedForward = (
    router: TensorReference?, experts: [TensorLayout.Expert], shared: TensorLayout.SharedExpert?
  )

  let configuration: TransformerConfiguration
  /// Whether the checkpoint has a tensor of a name.
  let contains: (String) -> Bool
  var hasProjectionBiases = false
  var hasOutputBias = false
  /// The widths of the norms of queries and keys; nil for a model without them.
  var queryKeyNorms: (query: Int, key: Int)?
  /// Each layer's, nil for those that see everything.
  var slidingWindows: [Int?]

  static let embeddingName = "model.embed_tokens.weight"
  static let headName = "lm_head.weight"

  /// - Parameter feedForward: Given a layer's number and the prefix of its feed-forward tensors, "model.layers.0.mlp.".
  func layout(_ feedForward: (_ layer: Int, _ prefix: String) -> FeedForward) -> TensorLayout {
    let vocabulary = configuration.vocabularySize
    let embedding = matrix(Self.embeddingName, vocabulary, hidden)
    return TensorLayout(
      embedding: embedding, finalNorm: vector("model.norm.weight", hidden),
      head: configuration.tiesEmbeddings ? embedding : matrix(Self.headName, vocabulary, hidden),
      layers: (0..<configuration.layerCount).map { number in
        layer(number, feedForward(number, "model.layers.\(number).mlp."))
      })
  }

  private func layer(_ number: Int, _ feedForward: FeedForward) -> TensorLayout.Layer {
    let (queries, keys) = (configuration.queryWidth, configuration.keyValueWidth)
    let prefix = "model.layers.\(number)."
    let attention = prefix + "self_attn."
    let biases = [("q_proj.bias", queries), ("k_proj.bias", keys), ("v_proj.bias", keys)]
    return TensorLayout.Layer(
      attentionNorm: vector(prefix + "input_layernorm.weight", hidden),
      query: matrix(attention + "q_proj.weight", queries, hidden),
      key: matrix(attention + "k_proj.weight", keys, hidden),
      value: matrix(attention + "v_proj.weight", keys, hidden),
      output: matrix(attention + "o_proj.weight", hidden, queries),
      projectionBiases: hasProjectionBiases ? biases.map { vector(attention + $0.0, $0.1) } : [],
      outputBias: hasOutputBias ? vector(attention + "o_proj.bias", hidden) : nil,
      queryNorm: queryKeyNorms.map { vector(attention + "q_norm.weight", $0.query) },
      keyNorm: queryKeyNorms.map { vector(attention + "k_norm.weight", $0.key) },
      slidingWindow: slidingWindows[number],
      feedForwardNorm: vector(prefix + "post_attention_layernorm.weight", hidden),
      router: feedForward.router, experts: feedForward.experts, shared: feedForward.shared)
  }

  // MARK: Feed-forward layers

  func dense(_ prefix: String) -> FeedForward {
    (nil, [expert(prefix, intermediate: configuration.intermediateSize)], nil)
  }

  /// A router and experts, stored one by one or stacked: `experts.gate_up_proj` (experts, 2 · intermediate, hidden),
  /// the gate on top of the up projection, and `experts.down_proj` (experts, hidden, intermediate).
  ///
  /// - Parameters:
  ///   - prefix: What the names of router and experts begin with where the experts are stored one by one.
  ///   - stackedPrefix: Where they are stacked.
  ///   - roles: The names of gate, up and down projection of experts stored one by one.
  func mixture(
    _ prefix: String, stackedPrefix: String? = nil,
    roles: (gate: String, up: String, down: String) = ("gate_proj", "up_proj", "down_proj")
  ) -> FeedForward {
    guard let mixture = configuration.mixture else { return dense(prefix) }
    let stackedPrefix = stackedPrefix ?? prefix
    let isStacked = contains(stackedPrefix + "experts.gate_up_proj")
    let experts = (0..<mixture.expertCount).map { number in
      isStacked
        ? stackedExpert(stackedPrefix + "experts.", number, mixture)
        : expert(prefix + "experts.\(number).", intermediate: mixture.intermediateSize, roles: roles)
    }
    // A mixture whose experts were stacked afterwards may have kept its router's name.
    let routers = [isStacked ? stackedPrefix : prefix, prefix].map { $0 + "gate.weight" }
    let router = routers.first(where: contains) ?? routers[0]
    return (matrix(router, mixture.expertCount, hidden), experts, nil)
  }

  func expert(
    _ prefix: String, intermediate: Int,
    roles: (gate: String, up: String, down: String) = ("gate_proj", "up_proj", "down_proj")
  ) -> TensorLayout.Expert {
    TensorLayout.Expert(
      gate: matrix(prefix + roles.gate + ".weight", intermediate, hidden),
      up: matrix(prefix + roles.up + ".weight", intermediate, hidden),
      down: matrix(prefix + roles.down + ".weight", hidden, intermediate))
  }

  private func stackedExpert(
    _ prefix: String, _ number: Int, _ mixture: TransformerConfiguration.Mixture
  ) -> TensorLayout.Expert {
    let intermediate = mixture.intermediateSize
    func slice(_ name: String, _ rows: Int, _ columns: Int, _ range: Range<Int>) -> TensorReference {
      TensorReference(name: prefix + name, shape: (mixture.expertCount, rows, columns), index: number, rows: range)
    }
    return TensorLayout.Expert(
      gate: slice("gate_up_proj", 2 * intermediate, hidden, 0..<intermediate),
      up: slice("gate_up_proj", 2 * intermediate, hidden, intermediate..<2 * intermediate),
      down: slice("down_proj", hidden, intermediate, 0..<hidden))
  }

  // MARK: Tensors

  var hidden: Int { configuration.hiddenSize }

  func matrix(_ name: String, _ rows: Int, _ columns: Int) -> TensorReference {
    TensorReference(name: name, rows: rows, columns: columns)
  }

  func vector(_ name: String, _ count: Int) -> TensorReference { matrix(name, 1, count) }
}
