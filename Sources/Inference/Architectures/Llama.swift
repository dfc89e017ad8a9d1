internal import Checkpoints

/// Llama: dense, grouped-query attention, rotary embedding, RMSNorm, SwiGLU.
enum Llama: Architecture {
  static let modelTypes = ["llama"]

  static func configuration(_ file: Configuration) throws(CheckpointError) -> TransformerConfiguration {
    try TransformerConfiguration(file, defaults: .init(slidingWindow: .none), mixture: nil)
  }

  static func layout(_ configuration: TransformerConfiguration) -> TensorLayout {
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize
    return layout(configuration) { prefix in
      let expert = TensorLayout.Expert(
        gate: TensorReference(name: prefix + "mlp.gate_proj.weight", rows: intermediate, columns: hidden),
        up: TensorReference(name: prefix + "mlp.up_proj.weight", rows: intermediate, columns: hidden),
        down: TensorReference(name: prefix + "mlp.down_proj.weight", rows: hidden, columns: intermediate))
      return (router: nil, experts: [expert])
    }
  }

  /// The names that all of Llama's descendants share; the feed-forward layer is theirs to say.
  static func layout(
    _ configuration: TransformerConfiguration,
    feedForward: (_ prefix: String) -> (router: TensorReference?, experts: [TensorLayout.Expert])
  ) -> TensorLayout {
    let hidden = configuration.hiddenSize
    let queries = configuration.queryWidth
    let keys = configuration.keyValueWidth
    let layers = (0..<configuration.layerCount).map { number in
      let prefix = "model.layers.\(number)."
      let (router, experts) = feedForward(prefix)
      return TensorLayout.Layer(
        attentionNorm: TensorReference(name: prefix + "input_layernorm.weight", rows: 1, columns: hidden),
        query: TensorReference(name: prefix + "self_attn.q_proj.weight", rows: queries, columns: hidden),
        key: TensorReference(name: prefix + "self_attn.k_proj.weight", rows: keys, columns: hidden),
        value: TensorReference(name: prefix + "self_attn.v_proj.weight", rows: keys, columns: hidden),
        output: TensorReference(name: prefix + "self_attn.o_proj.weight", rows: hidden, columns: queries),
        feedForwardNorm: TensorReference(name: prefix + "post_attention_layernorm.weight", rows: 1, columns: hidden),
        router: router, experts: experts)
    }
    let vocabulary = configuration.vocabularySize
    let embedding = TensorReference(name: "model.embed_tokens.weight", rows: vocabulary, columns: hidden)
    let head = TensorReference(name: "lm_head.weight", rows: vocabulary, columns: hidden)
    return TensorLayout(
      embedding: embedding, finalNorm: TensorReference(name: "model.norm.weight", rows: 1, columns: hidden),
      head: configuration.tiesEmbeddings ? embedding : head, layers: layers)
  }
}
