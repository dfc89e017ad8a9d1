internal import Checkpoints

/// Lays out a decoder under the names that Llama and its descendants share in Hugging Face checkpoints. An architecture
/// says what is different, and what its feed-forward layers are.
struct DecoderLayout {
  /// A layer's feed-forward part.
  struct FeedForward {
    var router: TensorReference?
    var routerBias: TensorReference?
    var selectionBias: TensorReference?
    var experts: [TensorLayout.Expert]
    var shared: TensorLayout.SharedExpert?
    /// Norms of routers and experts apart.
    var norms: TensorLayout.MixtureNorms?
    var expertScales: TensorReference?
  }

  /// Where a layer norms states, and what the norms are called.
  enum Norms {
    /// What attention and feed-forward layers take: `input_layernorm`, `post_attention_layernorm`.
    case before
    /// What they add: `post_attention_layernorm`, `post_feedforward_layernorm`.
    case after
    /// Both: also `input_layernorm` and `pre_feedforward_layernorm`.
    case around
  }

  /// One weight for every head, or one for all heads at once.
  enum QueryKeyNorms {
    case eachHead, allHeads
  }

  let configuration: TransformerConfiguration
  /// Whether the checkpoint has a tensor of a name.
  let contains: (String) -> Bool
  var hasProjectionBiases = false
  var hasOutputBias = false
  /// Whether each head has a sink.
  var hasSinks = false
  /// How queries and keys are normed; nil where they are not.
  var queryKeyNorms: QueryKeyNorms?
  /// Whether values are normed too, by a weight of ones.
  var normsValues = false
  /// Layers whose values are their keys, neither normed as these are nor rotated.
  var layersWithoutValues: Set<Int> = []
  /// Whether a number multiplies the states that leave a layer.
  var hasOutputScales = false
  /// Whether the query matrix makes gates too.
  var isGated = false
  /// The attention of layers that have another kind, given a layer's number and the prefix of its tensors,
  /// "model.layers.0."; nil for those that have heads with queries, keys and values of their own.
  var otherAttention: (_ layer: Int, _ prefix: String) -> TensorLayout.AttentionKind? = { _, _ in nil }
  var norms = Norms.before
  /// Each layer's, nil for those that see everything.
  var slidingWindows: [Int?]
  /// Layers whose queries and keys are not rotated.
  var unrotatedLayers: Set<Int> = []

  /// - Parameter feedForward: Given a layer's number and the prefix of its feed-forward tensors, "model.layers.0.mlp.".
  func layout(_ feedForward: (_ layer: Int, _ prefix: String) -> FeedForward) -> TensorLayout {
    let vocabulary = configuration.vocabularySize
    let names = TextModelNames(contains: contains)
    let embedding = matrix(names.embedding, vocabulary, hidden)
    return TensorLayout(
      embedding: embedding, finalNorm: vector(names.prefix + "norm.weight", hidden),
      head: configuration.tiesEmbeddings ? embedding : matrix(names.head, vocabulary, hidden),
      layers: (0..<configuration.layerCount).map { number in
        let prefix = names.prefix + "layers.\(number)."
        return layer(number, prefix, feedForward(number, prefix + "mlp."))
      })
  }

  private func layer(_ number: Int, _ prefix: String, _ feedForward: FeedForward) -> TensorLayout.Layer {
    func norm(_ name: String, unless other: Norms) -> TensorReference? {
      norms == other ? nil : vector(prefix + name + ".weight", hidden)
    }
    let feedForwardNorm = norms == .before ? "post_attention_layernorm" : "pre_feedforward_layernorm"
    return TensorLayout.Layer(
      attentionNorm: norm("input_layernorm", unless: .after),
      attention: otherAttention(number, prefix) ?? heads(number, prefix + "self_attn."),
      attentionOutputNorm: norm("post_attention_layernorm", unless: .before),
      isRotated: !unrotatedLayers.contains(number), slidingWindow: slidingWindows[number],
      feedForwardNorm: norm(feedForwardNorm, unless: .after), mixtureNorms: feedForward.norms,
      feedForwardOutputNorm: norm("post_feedforward_layernorm", unless: .before),
      router: feedForward.router, routerBias: feedForward.routerBias, selectionBias: feedForward.selectionBias,
      expertScales: feedForward.expertScales, experts: feedForward.experts, shared: feedForward.shared,
      outputScale: hasOutputScales ? vector(prefix + "layer_scalar", 1) : nil)
  }

  private func heads(_ number: Int, _ attention: String) -> TensorLayout.AttentionKind {
    let shape = configuration.heads(window: slidingWindows[number])
    let (queries, keys) = (shape.queryWidth, shape.keyWidth)
    let values = layersWithoutValues.contains(number) ? "k_proj" : "v_proj"
    let biases = [("q_proj.bias", queries), ("k_proj.bias", keys), (values + ".bias", keys)]
    let norms: (query: Int, key: Int)? =
      switch queryKeyNorms {
      case .eachHead: (shape.dimension, shape.dimension)
      case .allHeads: (queries, keys)
      case nil: nil
      }
    return .heads(
      TensorLayout.HeadAttention(
        query: matrix(attention + "q_proj.weight", isGated ? 2 * queries : queries, hidden),
        key: matrix(attention + "k_proj.weight", keys, hidden),
        value: matrix(attention + values + ".weight", keys, hidden),
        output: matrix(attention + "o_proj.weight", hidden, queries), isGated: isGated,
        projectionBiases: hasProjectionBiases ? biases.map { vector(attention + $0.0, $0.1) } : [],
        outputBias: hasOutputBias ? vector(attention + "o_proj.bias", hidden) : nil,
        sinks: hasSinks ? vector(attention + "sinks", shape.count) : nil,
        queryNorm: norms.map { vector(attention + "q_norm.weight", $0.query) },
        keyNorm: norms.map { vector(attention + "k_norm.weight", $0.key) }, normsValues: normsValues))
  }

  // MARK: Feed-forward layers

  func dense(_ prefix: String) -> FeedForward {
    FeedForward(experts: [expert(prefix, intermediate: configuration.intermediateSize)])
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
    let (gateUp, down) = (stackedPrefix + "experts.gate_up_proj", stackedPrefix + "experts.down_proj")
    let isStacked = contains(gateUp)
    let experts = (0..<mixture.expertCount).map { number in
      isStacked
        ? stackedExpert(number, mixture, gateUp: gateUp, down: down)
        : expert(prefix + "experts.\(number).", intermediate: mixture.intermediateSize, roles: roles)
    }
    // A mixture whose experts were stacked afterwards may have kept its router's name.
    let routers = [isStacked ? stackedPrefix : prefix, prefix].map { $0 + "gate.weight" }
    let router = routers.first(where: contains) ?? routers[0]
    return FeedForward(router: matrix(router, mixture.expertCount, hidden), experts: experts)
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

  /// A router, and experts that are stacked in two tensors: (experts, 2 · intermediate, hidden), the gate on top of the up
  /// projection, and (experts, hidden, intermediate).
  func stackedMixture(router: String, gateUp: String, down: String) -> FeedForward {
    guard let mixture = configuration.mixture else { preconditionFailure("a mixture without its numbers") }
    let experts = (0..<mixture.expertCount).map { stackedExpert($0, mixture, gateUp: gateUp, down: down) }
    return FeedForward(router: matrix(router, mixture.expertCount, hidden), experts: experts)
  }

  private func stackedExpert(
    _ number: Int, _ mixture: TransformerConfiguration.Mixture, gateUp: String, down: String
  ) -> TensorLayout.Expert {
    let intermediate = mixture.intermediateSize
    func slice(_ name: String, _ rows: Int, _ columns: Int, _ range: Range<Int>) -> TensorReference {
      TensorReference(name: name, shape: (mixture.expertCount, rows, columns), index: number, rows: range)
    }
    return TensorLayout.Expert(
      gate: slice(gateUp, 2 * intermediate, hidden, 0..<intermediate),
      up: slice(gateUp, 2 * intermediate, hidden, intermediate..<2 * intermediate),
      down: slice(down, hidden, intermediate, 0..<hidden))
  }

  // MARK: Tensors

  var hidden: Int { configuration.hiddenSize }

  func matrix(_ name: String, _ rows: Int, _ columns: Int) -> TensorReference { .matrix(name, rows, columns) }

  func vector(_ name: String, _ count: Int) -> TensorReference { .vector(name, count) }
}

extension TensorReference {
  static func matrix(_ name: String, _ rows: Int, _ columns: Int) -> TensorReference {
    TensorReference(name: name, rows: rows, columns: columns)
  }

  static func vector(_ name: String, _ count: Int) -> TensorReference { matrix(name, 1, count) }
}
