package import Inference
package import Models
package import Processes
package import Tokenization
package import Wording

/// The windows of one or more corpora under one convention and metric, ready to be scored by any model.
///
/// Files of questions are corpora too: each question is a window.
package struct Evaluation: Sendable {
  package let corpora: [Corpus]
  package let convention: Convention
  package let context: Int
  package let metric: any Metric
  package let windows: [WindowBatch.Window]
  /// Corpus i's windows.
  package let ranges: [Range<Int>]
  /// Among whom the windows are divided. All of them get the whole score.
  package var processes = ProcessGroup.alone

  package init(
    _ corpora: [Corpus], convention: Convention, context: Int, tokenizer: Tokenizer, metric: any Metric = Perplexity()
  ) throws {
    var windows: [WindowBatch.Window] = []
    var ranges: [Range<Int>] = []
    for corpus in corpora {
      let start = windows.count
      windows += try convention.windows(
        of: corpus, context: context, beginning: tokenizer.beginningToken,
        prefix: tokenizer.prefixToken)
      ranges.append(start..<windows.count)
    }
    self.corpora = corpora
    self.convention = convention
    self.context = context
    self.metric = metric
    self.windows = windows
    self.ranges = ranges
  }

  init(
    corpora: [Corpus], convention: Convention, context: Int, metric: any Metric, windows: [WindowBatch.Window],
    ranges: [Range<Int>]
  ) {
    (self.corpora, self.convention, self.context, self.metric) = (corpora, convention, context, metric)
    (self.windows, self.ranges) = (windows, ranges)
  }

  /// Some of an evaluation's windows, in their order.
  init(_ whole: Evaluation, isPart: (_ window: Int, _ corpus: Range<Int>) -> Bool) {
    corpora = whole.corpora
    convention = whole.convention
    context = whole.context
    metric = whole.metric
    processes = whole.processes
    var windows: [WindowBatch.Window] = []
    var ranges: [Range<Int>] = []
    for range in whole.ranges {
      let start = windows.count
      windows += range.filter { isPart($0, range) }.map { whole.windows[$0] }
      ranges.append(start..<windows.count)
    }
    self.windows = windows
    self.ranges = ranges
  }

  /// The first half of every corpus's windows, and the rest. Halves, not every other window: windows that follow each
  /// other share a passage.
  ///
  /// - Throws: `InputError` for a corpus of one window.
  package func halves() throws(InputError) -> (first: Evaluation, second: Evaluation) {
    for (corpus, range) in zip(corpora, ranges) where range.count < 2 {
      throw InputError(
        "\(corpus.path): one window cannot be divided into search and held-out text; give more text")
    }
    func middle(_ range: Range<Int>) -> Int { range.lowerBound + range.count / 2 }
    return (
      Evaluation(self) { $0 < middle($1) },
      Evaluation(self) { $0 >= middle($1) }
    )
  }

  /// These windows alone, in the order of the text.
  package func part(_ windows: Set<Int>) -> Evaluation { Evaluation(self) { window, _ in windows.contains(window) } }

  /// Scores every window, in groups whose states fit the memory; the model passes once for each group.
  ///
  /// What is computed beside a window changes no bit of its score: a text scores the same alone and among others, in
  /// much memory and in little.
  ///
  /// - Parameters:
  ///   - memory: Bytes that the whole may take, the weights in use among them: see `MemoryPlan`.
  ///   - isTrial: Whether it is a changed model that may have become useless: see `Metric.samples(ofTrial:_:)`.
  ///   - progress: Called with the share done, from 0 to 1.
  /// - Throws: `MemoryPlan.TooSmall` if that is not enough for one window.
  package func score(
    _ model: Model, memory: Int = .max, isTrial: Bool = false, progress: (Double) throws -> Void = { _ in }
  ) throws -> Score {
    try score(model, memory: memory, isTrial: isTrial, observing: nil, progress: progress)
  }

  /// The score of a model that is tried and differs from layer to layer: whose matrices of a layer are made when the
  /// windows reach it.
  ///
  /// - Parameters:
  ///   - others: Bytes of the memory that making them takes.
  ///   - changing: The model whose layer the windows are about to enter.
  package func score(
    _ model: Model, memory: Int = .max, others: Int, changing: @escaping (Model, Int) throws -> Model,
    progress: (Double) throws -> Void = { _ in }
  ) throws -> Score {
    try score(
      model, memory: memory, others: others, isTrial: true, changing: changing, observing: nil, progress: progress)
  }

  /// The same score, and where the model's router sent the tokens of each corpus.
  ///
  /// - Throws: `InputError` for a dense model.
  package func scoreAndRouting(
    _ model: Model, memory: Int = .max, progress: (Double) throws -> Void = { _ in }
  ) throws -> (score: Score, routing: [RoutingStatistics]) {
    var statistics = Array(repeating: try RoutingStatistics(of: model), count: corpora.count)
    var previous: Routing?
    let score = try score(
      model, memory: memory,
      observing: { group, batch, layer, routing in
        for (corpus, range) in ranges.enumerated() {
          let part = range.clamped(to: group)
          guard !part.isEmpty else { continue }
          let first = batch.rows[part.lowerBound - group.lowerBound].lowerBound
          let end = batch.rows[part.upperBound - 1 - group.lowerBound].upperBound
          statistics[corpus].record(routing, tokens: first..<end, layer: layer, after: layer == 0 ? nil : previous)
        }
        previous = routing
      }, progress: progress)
    return (score, try statistics.summed(over: processes))
  }

  private func score(
    _ model: Model, memory: Int, others: Int = 0, isTrial: Bool = false,
    changing: ((Model, Int) throws -> Model)? = nil, observing: ((Range<Int>, WindowBatch, Int, Routing) -> Void)?,
    progress: (Double) throws -> Void
  ) throws -> Score {
    let likelihoods = try likelihoods(
      model, memory: memory, others: others, isTrial: isTrial, changing: changing, observing: observing,
      progress: progress)
    return Score(try samples(likelihoods, isTrial: isTrial))
  }

  func samples(_ likelihoods: [TokenLikelihood], isTrial: Bool = false) throws -> [WindowScore] {
    let all = WindowBatch(windows)
    return isTrial ? try metric.samples(ofTrial: all, likelihoods) : try metric.samples(of: all, likelihoods)
  }

  /// What every scored token gets, of all windows in their order.
  ///
  /// - Parameter observing: Called with the windows of a group, their batch, a layer and its routing, layer by layer; of this
  ///   process's windows.
  func likelihoods(
    _ model: Model, memory: Int, others: Int = 0, isTrial: Bool = false,
    changing: ((Model, Int) throws -> Model)? = nil,
    observing: ((Range<Int>, WindowBatch, Int, Routing) -> Void)? = nil, progress: (Double) throws -> Void
  ) throws -> [TokenLikelihood] {
    let configuration = model.configuration
    let (groups, plan) = try groups(for: [model], memory: memory, others: others)
    let model = model.within(plan)
    let steps = Double(groups.count * (configuration.layerCount + 1))
    var step = 0.0
    func advance() throws {
      step += 1
      try progress(step / steps)
    }
    // Those with more groups need the others for the matrices of every layer.
    let most = changing == nil ? groups.count : processes.greatest(groups.count)
    var own: [TokenLikelihood] = []
    for group in groups {
      let batch = WindowBatch(Array(windows[group]))
      let forward = try ForwardPass(model, batch)
      let states = try forward.embeddings()
      for layer in 0..<configuration.layerCount {
        let pass = try changing.map { forward.with(try $0(model, layer)) } ?? forward
        let routing = try pass.run(layer: layer, states)
        observing?(group, batch, layer, routing)
        try advance()
      }
      let found = try forward.likelihoods(states)
      // A damaged model is found in its first windows.
      if !isTrial { _ = try metric.samples(of: batch, found) }
      own += found
      try advance()
    }
    if let changing {
      for _ in groups.count..<most { for layer in 0..<configuration.layerCount { _ = try changing(model, layer) } }
    }
    return Array(processes.gather(own).joined())
  }

  /// The score of one corpus, out of the score of all.
  package func part(_ score: Score, corpus: Int) -> Score { Score(Array(score.windows[ranges[corpus]])) }

  /// Tokens that a model runs.
  package var tokenCount: Int { windows.reduce(0) { $0 + $1.tokens.count } }

  /// Tokens of the longest window.
  package var longestWindow: Int { windows.map(\.tokens.count).max() ?? 0 }

  /// Bytes of states that a group may take where all weights fit beside them: larger groups gain nothing then.
  private static let enoughForStates = 1 << 30

  /// The windows that this process runs.
  private var own: Range<Int> { processes.share(of: windows.map(\.tokens.count)) }

  /// Those of this process's windows whose states of all these models fit the memory at once, and how it is divided.
  ///
  /// - Parameters:
  ///   - others: Bytes that are taken beside states and weights.
  ///   - perToken: And those of each token.
  func groups(
    for models: [Model], memory: Int, others: Int = 0, perToken: Int = 0
  ) throws(MemoryPlan.TooSmall) -> ([Range<Int>], MemoryPlan) {
    let states = models.reduce(0) { $0 + $1.configuration.hiddenSize * MemoryLayout<Float>.stride }
    let bytesPerToken = states + perToken + (models.map(\.bytesOfStep).max() ?? 0)
    let plan = try MemoryPlan(
      bytes: memory, models: models, window: longestWindow, bytesPerToken: bytesPerToken, others: others)
    let limit = plan.tokens(bytesEach: bytesPerToken)
    return (groups(ofTokens: plan.streams ? limit : min(limit, Self.enoughForStates / bytesPerToken)), plan)
  }

  private func groups(ofTokens limit: Int) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var start = own.lowerBound
    var tokens = 0
    for index in own {
      let count = windows[index].tokens.count
      if tokens > 0, tokens + count > limit {
        result.append(start..<index)
        (start, tokens) = (index, 0)
      }
      tokens += count
    }
    return start < own.upperBound ? result + [start..<own.upperBound] : result
  }
}
