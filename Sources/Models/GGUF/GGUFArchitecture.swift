internal import Checkpoints

/// How GGUF files hold models of an architecture, and what llama.cpp computes of them. Source: llama.cpp,
/// convert_hf_to_gguf.py and src/llama-model.cpp.
struct GGUFArchitecture: Sendable {
  /// `general.architecture`, which begins the keys.
  let name: String
  /// Whether files with experts are read as this architecture where another one has the same name.
  var isMixture = false
  /// Whether the rows of each head's queries and keys are interleaved, so that neighbours are rotated together.
  var interleavesRows = false
  /// Whether the weights of a token's experts are divided by their sum.
  var normalizesWeights = false
  /// Whether the attention's output projection may have a bias.
  var hasOutputBias = false
  /// Whether the norm of a token's keys, all heads at once, is taken to be as wide as its state.
  var normsKeysOfFullWidth = false
  /// Whether the width of an expert has a key of its own, `expert_feed_forward_length`.
  var namesExpertWidth = false
  /// What config.json says of biases of queries, keys and values, given whether there are any.
  var biasMembers: @Sendable (_ hasBiases: Bool) -> [JSON.Member] = {
    $0 ? [JSON.Member(key: "attention_bias", value: .boolean(true))] : []
  }
}
