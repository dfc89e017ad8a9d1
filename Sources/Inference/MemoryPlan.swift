internal import Checkpoints
internal import Tensors

/// How the memory that a command may take is divided between weights on their way through it and states of tokens.
///
/// Where everything fits, weights stay in the mapped files' pages. Otherwise they stream: the pages of a matrix are given
/// back once it is packed, the next expert's are read ahead. Experts are packed in blocks of their hidden channels that fit the
/// processor's last cache, or smaller ones where memory asks for it. Neither changes a bit of any result.
///
/// Counted are the largest matrices that exist at once, in the sizes that float32 gives them. What the program itself, its
/// tokenizer and its texts take is a flat allowance.
package struct MemoryPlan: Sendable {
  /// Bytes left for states, and for what a step makes of them.
  package let states: Int
  /// Whether pages of weights are given back once they were read.
  package let streams: Bool
  /// Hidden channels of an expert that are packed at once, at most.
  let channels: Int

  /// Less memory than the largest single step takes.
  package struct TooSmall: Error, CustomStringConvertible {
    /// Bytes that are enough.
    package let least: Int
    package let description: String
  }

  /// No limit.
  static let unbounded = MemoryPlan(states: .max, streams: false, channels: .max)

  private init(states: Int, streams: Bool, channels: Int) {
    (self.states, self.streams, self.channels) = (states, streams, channels)
  }

  /// The program, its tokenizer and its texts.
  private static let program = 64 << 20
  /// Blocks of channels are whole blocks of the inner dimension of products in every precision, so that sums are taken in
  /// the same order.
  private static let channelStep = 512
  /// Of an expert's three matrices packed in float32, as many channels as the processor's last cache holds: they are written and
  /// read again there, not in memory, by the next block in the same place.
  private static let cachedBytes = 24 << 20

  /// - Parameters:
  ///   - models: Those whose weights are used, one after another.
  ///   - window: Tokens of the longest window.
  ///   - bytesPerToken: Of states and what a step makes of them, for each token that is run at once.
  ///   - others: Bytes that the caller takes at the same time for something else.
  package init(
    bytes: Int, models: [Model], window: Int, bytesPerToken: Int, others: Int = 0
  ) throws(TooSmall) {
    let widest =
      models.map { model in
        min(model.widestHidden, Self.cachedChannels(hidden: model.configuration.hiddenSize))
      }.max() ?? 0
    func step(_ channels: Int) -> Int { models.map { $0.stepBytes(channels: channels, window: window) }.max() ?? 0 }
    let fixed = Self.program + others
    let least = fixed + step(Self.channelStep) + window * bytesPerToken
    guard bytes >= least else {
      throw TooSmall(
        least: Self.wholeMegabytes(least),
        description: "memory of \(Self.megabytes(bytes)) is too small for this model with windows of \(window) tokens; "
          + "give at least \(Self.megabytes(least))")
    }
    let mapped = models.reduce(0) { $0 + $1.checkpoint.byteCount }
    let resident = fixed + step(widest) + mapped
    if resident + max(window * bytesPerToken, bytes / 4) <= bytes {
      self.init(states: bytes - resident, streams: false, channels: widest)
      return
    }
    var channels = Self.channelStep
    while channels < widest, fixed + step(channels + Self.channelStep) <= max(least, bytes / 2) {
      channels += Self.channelStep
    }
    self.init(states: bytes - fixed - step(channels), streams: true, channels: channels)
  }

  /// As people give it: whole units of 2²⁰ bytes, rounded up.
  private static func megabytes(_ bytes: Int) -> String { "\(wholeMegabytes(bytes) >> 20)M" }

  private static func wholeMegabytes(_ bytes: Int) -> Int { ((bytes + (1 << 20) - 1) >> 20) << 20 }

  /// 0..<count in the blocks that are packed at once.
  func blocks(ofChannels count: Int, hidden: Int) -> [Range<Int>] {
    Parallelism.blocks(of: count, size: min(channels, Self.cachedChannels(hidden: hidden)))
  }

  private static func cachedChannels(hidden: Int) -> Int {
    max(1, cachedBytes / (3 * MemoryLayout<Float>.stride * max(1, hidden)) / channelStep) * channelStep
  }

  /// Tokens, of so many bytes each, that a share of the memory for states holds.
  package func tokens(bytesEach: Int, share: Int = 1) -> Int { max(1, states / share / max(1, bytesEach)) }
}

extension Model {
  /// For each token that passes a layer, beside its states: the layer's sums, an expert's inputs and outputs, the routing.
  package var bytesOfStep: Int {
    let float = MemoryLayout<Float>.stride
    return 3 * configuration.hiddenSize * float + configuration.expertCount * float + configuration.expertsPerToken * 16
  }

  /// What trials keep of the layer that they change, for each token: states after attention, every expert's contribution.
  package var bytesOfStage: Int {
    (1 + configuration.expertsPerToken) * configuration.hiddenSize * MemoryLayout<Float>.stride
  }

  /// Of two models' logits while they are compared.
  package var bytesOfDivergences: Int {
    2 * MemoryLayout<Float>.stride
      * max(VocabularyHead.divergenceLogits, VocabularyHead.rowBlock * configuration.vocabularySize)
  }

  fileprivate var widestHidden: Int { everyExpert.map(\.gate.rows).max() ?? 0 }

  var everyExpert: [TensorLayout.Expert] {
    layout.layers.flatMap { $0.experts + ($0.shared.map { [$0.expert] } ?? []) }
  }

  /// Of the largest step of a forward pass: the matrices packed for it, the pages they are packed from, and the workers'
  /// scratch. States are not among them.
  fileprivate func stepBytes(channels: Int, window: Int) -> Int {
    let float = MemoryLayout<Float>.stride
    let hidden = configuration.hiddenSize
    let width = configuration.queryWidth + 2 * configuration.keyValueWidth
    let made =
      layout.layers.map { layer in
        max([layer.query, layer.key, layer.value].map(productBytes).reduce(0, +), productBytes(layer.output))
      }.max() ?? 0
    let attention = float * hidden * (width + configuration.queryWidth) + made
    let attentionTokens = ForwardPass.groupTokens + window
    let attentionScratch = attentionTokens * (2 * hidden + width + configuration.queryWidth)
    let expert =
      everyExpert.map { expert in
        let block = min(channels, expert.gate.rows)
        return float * 3 * block * hidden + bytes(expert.down) + bytes(expert.gate, rows: block)
          + bytes(expert.up, rows: block)
      }.max() ?? 0
    let expertScratch = FeedForward.block * 2 * min(channels, widestHidden)
    let vocabulary = float * VocabularyHead.vocabularyBlock * hidden
    let vocabularyScratch = VocabularyHead.rowBlock * VocabularyHead.vocabularyBlock
    let depth = max(hidden, configuration.queryWidth, min(channels, widestHidden))
    // Attention's second product sums over the window, for 48 queries at a time.
    let inProducts = max(
      PackedMatrix.scratchBytes(rows: FeedForward.block, columns: depth),
      PackedMatrix.scratchBytes(rows: 48, columns: window))
    return max(attention, expert, vocabulary)
      + Parallelism.threads * (float * max(attentionScratch, expertScratch, vocabularyScratch) + inProducts)
  }

  /// Of some rows of a tensor as it is stored, or of all; one that is made of factors is made whole.
  func bytes(_ reference: TensorReference, rows: Int? = nil) -> Int {
    let made = productBytes(reference)
    if made > 0 { return made }
    let all = ((try? stored(reference))?.region.byteCount) ?? 0
    return rows.map { all / max(1, reference.rows) * $0 } ?? all
  }

  /// What making a tensor of its factors takes; nothing where it is stored as it is.
  private func productBytes(_ reference: TensorReference) -> Int {
    (try? stored(reference))?.factors?.productByteCount ?? 0
  }
}
