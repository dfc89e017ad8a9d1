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

  /// Gate on top of up projection of all experts, where they are one tensor.
  static func stackedGateAndUp(layer: Int) -> String { prefix(layer: layer) + "ffn_gate_up_exps.weight" }

  /// A matrix of an expert that is stored alone.
  func single(layer: Int, expert: Int) -> String { "blk.\(layer).\(rawValue).\(expert).weight" }

  /// A matrix of the expert that every token goes to.
  func shared(layer: Int) -> String { "blk.\(layer).\(rawValue)_shexp.weight" }
}

extension Role {
  /// The tensor of a role that GGUF has.
  ///
  /// - Parameter isStacked: Whether the layer has experts, whose matrices lie on each other.
  package func ggufTensor(layer: Int, isStacked: Bool) -> String {
    func expert(_ tensor: GGUFTensor) -> String {
      isStacked ? tensor.stacked(layer: layer) : tensor.weight(layer: layer)
    }
    return switch self {
    case .query: GGUFTensor.query.weight(layer: layer)
    case .key: GGUFTensor.key.weight(layer: layer)
    case .value: GGUFTensor.value.weight(layer: layer)
    case .output: GGUFTensor.output.weight(layer: layer)
    case .w1: expert(.gate)
    case .w2: expert(.down)
    case .w3: expert(.up)
    case .sharedW1: GGUFTensor.gate.shared(layer: layer)
    case .sharedW2: GGUFTensor.down.shared(layer: layer)
    case .sharedW3: GGUFTensor.up.shared(layer: layer)
    default: preconditionFailure("GGUF has no \(rawValue)")
    }
  }
}
