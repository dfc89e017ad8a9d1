internal import Checkpoints

/// Where GGUF files keep the tensors that Hugging Face's names stand for.
///
/// Experts are stacked in one tensor for each role (`blk.0.ffn_gate_exps.weight`: experts, rows, columns) or, in older files,
/// one by one (`blk.0.ffn_gate.3.weight`). Source: llama.cpp, gguf-py/gguf/tensor_mapping.py.
struct GGUFNames {
  let checkpoint: Checkpoint
  let expertCount: Int

  private static let whole = [
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
  ]

  private static let ofLayer = [
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
    "block_sparse_moe.gate": "ffn_gate_inp", "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.up_proj": "ffn_up_shexp", "mlp.shared_expert.down_proj": "ffn_down_shexp",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
  ]

  private static let ofExpert = [
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down", "w1": "ffn_gate", "w3": "ffn_up",
    "w2": "ffn_down",
  ]

  /// - Parameter reference: A whole matrix or vector, by Hugging Face's name.
  func translated(_ reference: TensorReference) -> TensorReference {
    var words = reference.tensor.split(separator: ".").map(String.init)
    let kind = words.removeLast()  // weight or bias
    func renamed(_ name: String) -> TensorReference {
      TensorReference(name: "\(name).\(kind)", rows: reference.rows, columns: reference.columns)
    }
    if let name = Self.whole[words.joined(separator: ".")] { return renamed(name) }
    // model.layers.N. …
    let block = "blk.\(words[2])."
    let path = words.dropFirst(3)
    if let name = Self.ofLayer[path.joined(separator: ".")] { return renamed(block + name) }
    // … mlp.experts.E.gate_proj
    guard path.count == 4, let number = Int(words[5]), let name = Self.ofExpert[words[6]] else {
      preconditionFailure("GGUF has no name for \(reference.tensor)")
    }
    let alone = "\(block)\(name).\(number)"
    if checkpoint.contains("\(alone).\(kind)") { return renamed(alone) }
    return TensorReference(
      name: "\(block)\(name)_exps.\(kind)", shape: (expertCount, reference.rows, reference.columns), index: number,
      rows: 0..<reference.rows)
  }
}

extension TensorLayout {
  /// The same layout with every tensor under another name.
  func renamed(_ translate: (TensorReference) -> TensorReference) -> TensorLayout {
    func renamed(_ expert: Expert) -> Expert {
      Expert(gate: translate(expert.gate), up: translate(expert.up), down: translate(expert.down))
    }
    return TensorLayout(
      embedding: translate(embedding), finalNorm: translate(finalNorm), head: translate(head),
      layers: layers.map { layer in
        Layer(
          attentionNorm: translate(layer.attentionNorm), query: translate(layer.query), key: translate(layer.key),
          value: translate(layer.value), output: translate(layer.output),
          projectionBiases: layer.projectionBiases.map(translate), outputBias: layer.outputBias.map(translate),
          queryNorm: layer.queryNorm.map(translate), keyNorm: layer.keyNorm.map(translate),
          slidingWindow: layer.slidingWindow, feedForwardNorm: translate(layer.feedForwardNorm),
          router: layer.router.map(translate), experts: layer.experts.map(renamed),
          shared: layer.shared.map { SharedExpert(expert: renamed($0.expert), gate: translate($0.gate)) })
      })
  }
}
