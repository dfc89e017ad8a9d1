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

  package struct Tensor: Sendable {
    package let name: String
    package let shape: [Int]
    package let kind: Kind
  }

  package enum Kind: Sendable {
    /// Ones.
    case norm
    /// Noise of standard deviation 1.
    case embedding
    /// Noise that keeps the size of what it is applied to.
    case plain
    /// The same with strong directions.
    case structured
  }

  package var tensors: [Tensor] {
    let width = hiddenSize / max(1, headCount)
    var result = [
      Tensor(name: "model.embed_tokens.weight", shape: [vocabularySize, hiddenSize], kind: .embedding),
      Tensor(name: "model.norm.weight", shape: [hiddenSize], kind: .norm),
      Tensor(name: "lm_head.weight", shape: [vocabularySize, hiddenSize], kind: .plain),
    ]
    for layer in 0..<layerCount {
      let prefix = "model.layers.\(layer)."
      let attention = prefix + "self_attn."
      let block = prefix + "block_sparse_moe."
      result += ["input_layernorm", "post_attention_layernorm"].map {
        Tensor(name: prefix + $0 + ".weight", shape: [hiddenSize], kind: .norm)
      }
      result += [("q_proj", headCount), ("k_proj", keyValueHeadCount), ("v_proj", keyValueHeadCount)].map {
        Tensor(name: attention + $0 + ".weight", shape: [$1 * width, hiddenSize], kind: .structured)
      }
      result.append(
        Tensor(name: attention + "o_proj.weight", shape: [hiddenSize, headCount * width], kind: .structured))
      result.append(Tensor(name: block + "gate.weight", shape: [expertCount, hiddenSize], kind: .plain))
      for expert in 0..<expertCount {
        result += [
          ("w1", [intermediateSize, hiddenSize]), ("w2", [hiddenSize, intermediateSize]),
          ("w3", [intermediateSize, hiddenSize]),
        ].map { Tensor(name: "\(block)experts.\(expert).\($0).weight", shape: $1, kind: .structured) }
      }
    }
    return result
  }

  /// config.json.
  package var configuration: JSON {
    let members: [(String, JSON)] = [
      ("architectures", .array([.string("MixtralForCausalLM")])), ("model_type", .string(Mixtral.modelTypes[0])),
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
