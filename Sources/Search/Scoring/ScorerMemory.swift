internal import Evaluation
internal import Inference
internal import Models

/// How a scorer divides the memory that it may take: half for what is run at once, if it needs that much, the rest for
/// activations that are kept, those of the entered layer first.
struct ScorerMemory {
  let plan: MemoryPlan
  /// Tokens that may be run at once.
  let limit: Int
  /// Tokens whose gradients may be computed at once.
  let gradientLimit: Int
  /// Bytes for the states that enter layers.
  let inputs: Int
  /// Bytes for the entered layer, taken apart.
  let layer: Int

  /// - Parameters:
  ///   - tokens: That are run here; nil for all of the text's.
  ///   - others: Bytes that the caller takes for something else.
  /// - Throws: `MemoryPlan.TooSmall` if the memory is not enough for one window.
  init(
    _ model: Model, _ text: Evaluation, tokens: Int? = nil, memory: Int, others: Int
  ) throws(MemoryPlan.TooSmall) {
    let states = model.configuration.hiddenSize * MemoryLayout<Float>.stride
    let bytesPerToken = model.bytesOfStep + model.bytesOfStage + states
    plan = try MemoryPlan(
      bytes: memory, models: [model], window: text.longestWindow, bytesPerToken: bytesPerToken, others: others)
    let tokenCount = tokens ?? text.tokenCount
    limit = max(text.longestWindow, plan.tokens(bytesEach: bytesPerToken, share: 2))
    gradientLimit = max(1, (plan.states / 2 - model.bytesOfGradientWeights) / model.bytesOfGradient)
    let kept = plan.states - min(limit, tokenCount) * bytesPerToken
    layer = min(kept, tokenCount * model.bytesOfStage)
    inputs = kept - layer
  }

  /// Windows, by their numbers of tokens, in groups of at most so many tokens, or of one window.
  static func groups(_ windows: [Int], limit: Int, tokens: (Int) -> Int) -> [[Int]] {
    var result: [[Int]] = []
    var free = 0
    for index in windows {
      let count = tokens(index)
      if result.isEmpty || count > free {
        result.append([])
        free = limit
      }
      result[result.count - 1].append(index)
      free -= count
    }
    return result
  }
}
