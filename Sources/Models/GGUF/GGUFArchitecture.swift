internal import Checkpoints
internal import Tensors

/// How GGUF files hold models of an architecture, and what llama.cpp computes of them. Source: llama.cpp,
/// convert_hf_to_gguf.py and src/models.
struct GGUFArchitecture: Sendable {
  /// `general.architecture`, which begins the keys.
  let name: String
  /// Whether files with experts are read as this architecture where another one has the same name.
  var isMixture = false
  /// Whether the rows of each head's queries and keys are interleaved, so that neighbours are rotated together.
  var interleavesRows = false
  /// Whether they are in Hugging Face's checkpoints too.
  var isInterleavedInFolders = false
  /// Whether the weights of a token's experts are divided by their sum.
  var normalizesWeights = false
  /// Whether the attention's output projection may have a bias.
  var hasOutputBias = false
  /// Whether the norm of a token's keys, all heads at once, is taken to be as wide as its state.
  var normsKeysOfFullWidth = false
  /// Whether the width of an expert has a key of its own, `expert_feed_forward_length`.
  var namesExpertWidth = false
  /// Whether only a part of each head may be rotated: `rope.dimension_count`.
  var rotatesPart = false
  /// Whether 1 has been added to the weights of norms.
  var addsOneToNorms = false
  /// `expert_gating_func`: 1 for a softmax, 2 for sigmoids.
  var gatingFunction = 1
  /// Whether the first layers may be dense: `leading_dense_block_count`.
  var hasLeadingDenseLayers = false
  /// Whether layers that predict further tokens may stand behind the others, as `nextn_predict_layers` says. They are not
  /// run.
  var hasFurtherLayers = false
  /// What the norm before the feed-forward layer is called.
  var feedForwardNorm = GGUFTensor.feedForwardNorm
  /// Every so many layers one has no sliding window, as `attention.sliding_window` says it for the others; nil where no
  /// layer has one.
  var slidingPattern: Int?
  /// Every so many layers one does not rotate queries and keys; nil where all do.
  var unrotatedInterval: Int?
  /// The member of config.json that says whether queries and keys are normed; nil where the architecture says it.
  var queryKeyNormMember: String?
  /// The base of rotation, which no key says of layers with a window; nil where one does, or none has a window.
  var slidingBase: Double?
  /// Whether YaRN's ramp is cut to whole pairs; GGUF has no key for it.
  var truncatesYarn = true
  /// The gated activation, where GGUF has no keys for its numbers.
  var activation: GatedActivation?
  /// Numbers that keys of the architecture's own say, as config.json does.
  var parameters: [Parameter] = []
  /// What scores are multiplied by, as llama.cpp takes it from the model's shape; nil for 1 / √(a head's dimension).
  var attentionScale: (@Sendable (TransformerConfiguration) -> Float)?
  /// What config.json says of biases of queries, keys and values, given whether there are any.
  var biasMembers: @Sendable (_ hasBiases: Bool) -> [JSON.Member] = {
    $0 ? [JSON.Member(key: "attention_bias", value: .boolean(true))] : []
  }

  /// A number that is the same in both formats.
  struct Parameter: Sendable {
    /// Without the architecture's name.
    let key: String
    /// The member of config.json.
    let member: String
    /// Whether it is a whole number, which GGUF stores as such.
    var isWhole = false
    /// What the configuration class takes where config.json does not say it; nil where nothing is to be written then.
    var fallback: Double?
  }
}
