/// The tensors of a layer as GGUF files name them, and those beside the layers.
///
/// Experts are stacked in one tensor for each role (`blk.0.ffn_gate_exps.weight`: experts, rows, columns) or, in older
/// files, stored one by one (`blk.0.ffn_gate.3.weight`). Source: llama.cpp, gguf-py/gguf/tensor_mapping.py.
enum GGUFTensor: String {
  case attentionNorm = "attn_norm"
  case query = "attn_q"
  case key = "attn_k"
  case value = "attn_v"
  case output = "attn_output"
  case queryNorm = "attn_q_norm"
  case keyNorm = "attn_k_norm"
  case sinks = "attn_sinks"
  case attentionOutputNorm = "post_attention_norm"
  case feedForwardNorm = "ffn_norm"
  case feedForwardOutputNorm = "post_ffw_norm"
  case router = "ffn_gate_inp"
  case selectionBias = "exp_probs_b"
  case sharedGate = "ffn_gate_inp_shexp"
  case gate = "ffn_gate"
  case up = "ffn_up"
  case down = "ffn_down"

  static let embedding = "token_embd.weight"
  static let finalNorm = "output_norm.weight"
  static let head = "output.weight"
  /// What each pair's rotary frequency is divided by.
  static let rotaryFactors = "rope_freqs.weight"

  /// Which have a bias where `TensorLayout.HeadAttention.projectionBiases` has: in its order.
  static let projections = [query, key, value]
  /// An expert's, in the order of `TensorLayout.Expert.all`.
  static let expert = [gate, up, down]

  /// What the names of a layer's tensors begin with.
  static func prefix(layer: Int) -> String { "blk.\(layer)." }

  func weight(layer: Int) -> String { "blk.\(layer).\(rawValue).weight" }

  func bias(layer: Int) -> String { "blk.\(layer).\(rawValue).bias" }

  /// One role's matrices of all experts.
  func stacked(layer: Int) -> String { "blk.\(layer).\(rawValue)_exps.weight" }

  /// One role's biases of all experts: (experts, outputs).
  func stackedBias(layer: Int) -> String { "blk.\(layer).\(rawValue)_exps.bias" }

  /// A matrix of an expert that is stored alone.
  func single(layer: Int, expert: Int) -> String { "blk.\(layer).\(rawValue).\(expert).weight" }

  /// A matrix of the expert that every token goes to.
  func shared(layer: Int) -> String { "blk.\(layer).\(rawValue)_shexp.weight" }
}
