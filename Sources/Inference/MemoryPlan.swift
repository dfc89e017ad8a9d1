internal import Checkpoints
package import Models
internal import Tensors

/// How the memory that a command may take is divided between weights on their way through it and states of tokens.
///
/// Where everything fits, weights stay in the mapped files' pages. Otherwise they stream: the pages of a matrix are
/// released once it is packed, the next expert's are read ahead. Experts are packed in blocks of their hidden channels
/// that fit the processor's last cache, or smaller ones where memory asks for it. Neither changes a bit of any result.
///
/// Counted are the largest matrices that exist at once, in the sizes that float32 gives them (`Model+Bytes.swift`).
/// What the program itself, its tokenizer and its texts take is a flat allowance.
package struct MemoryPlan: Sendable {
  /// Bytes left for states, and for what a step makes of them.
  package let states: Int
  /// Whether pages of weights are released once they were read.
  package let streams: Bool
  /// Hidden channels of an expert that are packed at once, at most.
  let channels: Int

  /// Less memory than the largest single step takes.
  package struct TooSmall: Error, CustomStringConvertible {
    /// Bytes that are enough.
    package let least: Int
    package let description: String
  }

  private init(states: Int, streams: Bool, channels: Int) {
    (self.states, self.streams, self.channels) = (states, streams, channels)
  }

  /// Bytes that the program, its tokenizer and its texts take.
  private static let program = 64 << 20
  /// Blocks of channels are whole blocks of the inner dimension of products in every precision, so that sums are taken
  /// in the same order.
  private static let channelStep = 512
  /// Bytes of an expert's three matrices, packed in float32, that the processor's last cache holds: they are written
  /// and read there, not in memory, by one block of channels after another in the same place.
  private static let cachedBytes = 24 << 20

  /// - Parameters:
  ///   - models: Those whose weights are used, one after another.
  ///   - window: Tokens of the longest window.
  ///   - bytesPerToken: What each token that is run at once takes: its states, and what a step makes of them.
  ///   - others: Bytes that the caller takes at the same time for something else.
  package init(
    bytes: Int, models: [Model], window: Int, bytesPerToken: Int, others: Int = 0
  ) throws(TooSmall) {
    let widest =
      models.map { model in
        min(model.widestHidden, Self.cachedChannels(hidden: model.configuration.hiddenSize))
      }.max() ?? 0
    func step(_ channels: Int) -> Int { models.map { $0.stepBytes(channels: channels, window: window) }.max() ?? 0 }
    // What is taken whatever the weights.
    let fixed = Self.program + others
    // The narrowest step, and the states of one window.
    let least = fixed + step(Self.channelStep) + window * bytesPerToken
    guard bytes >= least else {
      throw TooSmall(
        least: Self.wholeMegabytes(least),
        description: "memory of \(Self.megabytes(bytes)) is too small for this model with windows of \(window) tokens; "
          + "give at least \(Self.megabytes(least))")
    }
    // All files' pages, beside the widest step: where a quarter of the memory is left for states, nothing streams.
    let mapped = models.reduce(0) { $0 + $1.checkpoint.byteCount }
    let resident = fixed + step(widest) + mapped
    if resident + max(window * bytesPerToken, bytes / 4) <= bytes {
      self.init(states: bytes - resident, streams: false, channels: widest)
      return
    }
    // Else blocks of channels as wide as half of the memory has room for, and the rest for states.
    var channels = Self.channelStep
    while channels < widest, fixed + step(channels + Self.channelStep) <= max(least, bytes / 2) {
      channels += Self.channelStep
    }
    self.init(states: bytes - fixed - step(channels), streams: true, channels: channels)
  }

  /// As people give it: whole units of 2²⁰ bytes, rounded up.
  private static func megabytes(_ bytes: Int) -> String { "\(wholeMegabytes(bytes) >> 20)M" }

  private static func wholeMegabytes(_ bytes: Int) -> Int { ((bytes + (1 << 20) - 1) >> 20) << 20 }

  /// 0..<count in the blocks that are packed at once, of at most `limit`.
  static func blocks(ofChannels count: Int, hidden: Int, limit: Int) -> [Range<Int>] {
    Parallelism.blocks(of: count, size: min(limit, cachedChannels(hidden: hidden)))
  }

  /// Channels that the processor's last cache holds: 3 · hidden numbers each, in whole steps.
  private static func cachedChannels(hidden: Int) -> Int {
    max(1, cachedBytes / (3 * MemoryLayout<Float>.stride * max(1, hidden)) / channelStep) * channelStep
  }

  /// Tokens, of so many bytes each, that a share of the memory for states holds.
  package func tokens(bytesEach: Int, share: Int = 1) -> Int { max(1, states / share / max(1, bytesEach)) }
}
