internal import Checkpoints
package import Models
internal import Tensors

/// What running a model takes, in bytes.
extension Model {
  private static let float = MemoryLayout<Float>.stride

  // MARK: For each token

  /// What a token takes that passes a layer, beside its states.
  package var bytesOfStep: Int {
    // The layer's sums, those of a shared expert that is normed apart, an expert's inputs and its outputs.
    (hasPartNorms ? 4 : 3) * configuration.hiddenSize * Self.float
      // The router's logits.
      + configuration.expertCount * Self.float
      // The routing: expert, weight and slot, for each expert that works on it.
      + configuration.expertsPerToken * 16
  }

  /// What trials keep of a token at the layer that they change: its states after attention, every expert's
  /// contribution.
  package var bytesOfStage: Int {
    (1 + configuration.expertsPerToken) * configuration.hiddenSize * Self.float
  }

  /// Whether a layer norms what its experts add and what its shared expert adds apart.
  var hasPartNorms: Bool { layout.layers.contains { $0.mixtureNorms != nil } }

  // MARK: At once

  /// What two models' logits take while they are compared.
  package var bytesOfDivergences: Int {
    2 * Self.float * max(VocabularyHead.divergenceLogits, VocabularyHead.rowBlock * configuration.vocabularySize)
  }

  /// The most hidden channels that an expert has.
  var widestHidden: Int { everyExpert.map(\.gate.rows).max() ?? 0 }

  var everyExpert: [TensorLayout.Expert] {
    layout.layers.flatMap { $0.experts + ($0.shared.map { [$0.expert] } ?? []) }
  }

  /// What the largest step of a forward pass takes: the matrices packed for it, the pages they are packed from, and the
  /// workers' scratch. States are not among them.
  ///
  /// - Parameters:
  ///   - channels: Hidden channels of an expert that are packed at once, at most.
  ///   - window: Tokens of the longest window.
  func stepBytes(channels: Int, window: Int) -> Int {
    let hidden = configuration.hiddenSize
    let channels = min(channels, widestHidden)
    let weights = max(
      attentionWeightBytes, everyExpert.map { weightBytes($0, channels: channels) }.max() ?? 0,
      // A packed block of the vocabulary.
      Self.float * VocabularyHead.vocabularyBlock * hidden)
    // Each worker's: a group's normed states and result, projections and gathered heads; the keys and values that a
    // branch of a window sees, side by side.
    let context = configuration.largestOfHeads(\.contextWidth)
    let attention =
      (ForwardPass.groupTokens + window)
      * (2 * hidden + max(madeWidth + context + latentWidth, deltaWidth))
      + window * configuration.largestOfHeads { $0.keyWidth + $0.valueWidth } + deltaStates
    // A block's gate and up channels.
    let expert = FeedForward.block * 2 * channels
    // A block's logits of a block of the vocabulary.
    let vocabulary = VocabularyHead.rowBlock * VocabularyHead.vocabularyBlock
    let products = max(
      // The longest inner dimension of a product with weights.
      PackedMatrix.scratchBytes(rows: FeedForward.block, columns: max(hidden, context, channels)),
      // Attention's second product sums over the window, for 48 queries at a time.
      PackedMatrix.scratchBytes(rows: 48, columns: window))
    return weights + Parallelism.threads * (Self.float * max(attention, expert, vocabulary) + products)
  }

  /// The numbers of a token's queries, keys and values; with gates twice, since they are put apart.
  private var madeWidth: Int {
    let isGated = layout.layers.contains { $0.attention.heads?.isGated == true }
    return configuration.largestOfHeads { heads in
      isGated ? 2 * (heads.projectionWidth + heads.queryWidth) : heads.projectionWidth
    }
  }

  /// The numbers of a token's latents, before and after their norms, and of what they are expanded to.
  private var latentWidth: Int {
    layout.layers.map { layer in
      guard case .latent(let latent) = layer.attention else { return 0 }
      return 2 * ((latent.queryDown?.matrix.rows ?? 0) + latent.keyValueDown.matrix.rows) + latent.keyValueUp.rows
    }.max() ?? 0
  }

  /// What linear attention makes of a token on its way: of its state, twice; before and after the convolution, with the
  /// rows before; what heads read, three times.
  private var deltaWidth: Int {
    layout.layers.map { layer in
      guard case .delta(let delta) = layer.attention else { return 0 }
      let shape = delta.shape
      return 2 * shape.projectionWidth + 5 * shape.channelCount + 3 * shape.valueWidth
    }.max() ?? 0
  }

  /// A worker's states of linear attention, of a beginning and of a branch.
  var deltaStates: Int {
    layout.layers.map { layer in
      guard case .delta(let delta) = layer.attention else { return 0 }
      return 2 * delta.shape.valueHeadCount * delta.shape.keyDimension * delta.shape.valueDimension
    }.max() ?? 0
  }

  /// The numbers of the largest state that a head of linear attention has.
  var largestState: Int {
    layout.layers.map { layer in
      guard case .delta(let delta) = layer.attention else { return 0 }
      return delta.shape.keyDimension * delta.shape.valueDimension
    }.max() ?? 0
  }

  /// A layer's attention: all matrices packed, and those that are made before they are packed, which are all
  /// but the last together, or the last.
  private var attentionWeightBytes: Int {
    layout.layers.map { layer in
      let matrices = layer.attention.matrices.map(\.reference)
      let made = max(
        matrices.dropLast().map(makingBytes).reduce(0, +), matrices.last.map(makingBytes) ?? 0)
      return Self.float * matrices.reduce(0) { $0 + $1.rows * $1.columns } + made
    }.max() ?? 0
  }

  /// An expert: a block of channels of its three matrices packed, and the pages that they are packed from. Columns of
  /// w2 are spread over all of its pages.
  private func weightBytes(_ expert: TensorLayout.Expert, channels: Int) -> Int {
    let block = min(channels, expert.gate.rows)
    return Self.float * 3 * block * configuration.hiddenSize
      + bytes(expert.down) + bytes(expert.gate, rows: block) + bytes(expert.up, rows: block)
  }

  /// What some rows of a tensor take as it is stored, or all; one that is made is made whole.
  func bytes(_ reference: TensorReference, rows: Int? = nil) -> Int {
    let made = makingBytes(reference)
    if made > 0 { return made }
    let all = ((try? stored(reference))?.region.byteCount) ?? 0
    return rows.map { all / max(1, reference.rows) * $0 } ?? all
  }

  /// What making a tensor of what is stored takes; nothing where it is stored as it is.
  private func makingBytes(_ reference: TensorReference) -> Int {
    (try? stored(reference))?.region.makingByteCount ?? 0
  }
}
