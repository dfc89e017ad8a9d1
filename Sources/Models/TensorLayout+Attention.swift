package import Checkpoints

extension TensorLayout {
  /// How a layer lets its tokens see those before them.
  package enum AttentionKind: Sendable {
    case heads(HeadAttention)
    case latent(LatentAttention)
    case delta(DeltaAttention)

    /// What can be reduced, in the order in which checkpoints hold it.
    package var matrices: [(role: Role, reference: TensorReference)] {
      switch self {
      case .heads(let heads):
        [(.query, heads.query), (.key, heads.key)] + (heads.hasValues ? [(.value, heads.value)] : [])
          + [(.output, heads.output)]
      case .latent(let latent):
        (latent.queryDown.map { [(.queryDown, $0.matrix), (.queryUp, latent.query)] } ?? [(.query, latent.query)])
          + [
            (.keyValueDown, latent.keyValueDown.matrix), (.keyValueUp, latent.keyValueUp), (.output, latent.output),
          ]
      case .delta(let delta):
        delta.inputs.compactMap { input in input.role.map { ($0, input.matrix) } } + [(.deltaOutput, delta.output)]
      }
    }

    /// Matrices that are no sites.
    var otherMatrices: [TensorReference] {
      guard case .delta(let delta) = self else { return [] }
      return delta.inputs.filter { $0.role == nil }.map(\.matrix) + [delta.convolution]
    }

    var norms: [TensorReference] {
      switch self {
      case .heads(let heads): [heads.queryNorm, heads.keyNorm].compactMap(\.self)
      case .latent(let latent): [latent.queryDown?.norm, latent.keyValueDown.norm].compactMap(\.self)
      case .delta: []
      }
    }

    /// Vectors that are multiplied or added as they are stored.
    var biases: [TensorReference] {
      switch self {
      case .heads(let heads): heads.projectionBiases + [heads.outputBias, heads.sinks].compactMap(\.self)
      case .latent(let latent):
        [latent.queryDown?.bias, latent.keyValueDown.bias, latent.outputBias].compactMap(\.self)
      case .delta(let delta): [delta.decayBias, delta.decayLogarithm, delta.norm]
      }
    }

    /// What makes the layer's output, (hidden, what is gathered), and its bias.
    package var output: (matrix: TensorReference, bias: TensorReference?) {
      switch self {
      case .heads(let heads): (heads.output, heads.outputBias)
      case .latent(let latent): (latent.output, latent.outputBias)
      case .delta(let delta): (delta.output, nil)
      }
    }

    /// Nil where heads do not have queries, keys and values of their own matrices.
    package var heads: HeadAttention? {
      if case .heads(let heads) = self { heads } else { nil }
    }
  }

  /// Heads with matrices for their queries, keys and values.
  package struct HeadAttention: Sendable {
    package internal(set) var query: TensorReference
    package internal(set) var key: TensorReference
    /// The key matrix where values are what it makes, as it makes it.
    package internal(set) var value: TensorReference
    package let output: TensorReference
    /// Whether the query matrix has twice as many rows: each head's queries, then gates, whose sigmoids multiply what the
    /// head gathers.
    package internal(set) var isGated = false
    /// Added to queries, keys and values: three of them, or none.
    package internal(set) var projectionBiases: [TensorReference] = []
    package internal(set) var outputBias: TensorReference?
    /// (1, heads): one more score of each head, whose weight goes nowhere.
    package internal(set) var sinks: TensorReference?
    /// RMSNorm of queries and of keys before they are rotated: one weight for every head, or one for all heads at once.
    package internal(set) var queryNorm: TensorReference?
    package internal(set) var keyNorm: TensorReference?
    /// Whether each head's value is normed too, by a weight of ones.
    package internal(set) var normsValues = false

    /// Whether values have a matrix of their own.
    package var hasValues: Bool { value != key }
  }

  /// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): keys and values of all heads are made of a few numbers of
  /// each token, its latent; so may queries be.
  package struct LatentAttention: Sendable {
    /// What makes the queries' latent; nil where they are made of the states.
    package let queryDown: Latent?
    /// (heads · (plain + rotated), latent or hidden)
    package let query: TensorReference
    /// (latent + rotated, hidden): the latent, and the rotated part of the keys, which all heads share.
    package let keyValueDown: Latent
    /// (heads · (plain + value), latent): the plain part of each head's key, and its value.
    package let keyValueUp: TensorReference
    /// (hidden, heads · value)
    package let output: TensorReference
    package let outputBias: TensorReference?

    package struct Latent: Sendable {
      package let matrix: TensorReference
      package let bias: TensorReference?
      /// RMSNorm of the latent.
      package let norm: TensorReference
    }
  }

  /// Linear attention by the gated delta rule (Gated DeltaNet, arXiv 2412.06464).
  package struct DeltaAttention: Sendable {
    package let shape: DeltaShape
    /// What is made of the states, as `DeltaShape` orders it.
    package let inputs: [Input]
    /// (channels, width): of queries, keys and values, each channel over its last tokens.
    package let convolution: TensorReference
    /// (1, value heads): a head decays by exp(−exp(logarithm) · softplus(made of the state + bias)).
    package let decayBias: TensorReference
    package let decayLogarithm: TensorReference
    /// RMSNorm of what a head reads, before its gate.
    package let norm: TensorReference
    /// (hidden, values of all heads)
    package let output: TensorReference

    package struct Input: Sendable {
      /// Nil for a matrix that is too small to be reduced.
      package let role: Role?
      package let matrix: TensorReference
      /// Some of the matrix's rows, and the column where what they make begins.
      package let pieces: [(rows: Range<Int>, column: Int)]
    }
  }
}
