internal import Inference
package import Models
internal import Tensors
package import Wording

extension Evaluation {
  /// Files of questions, each a corpus without tokens of its own, each question a window.
  ///
  /// - Parameter withoutContext: Whether only the choices are run, for mutual information.
  package init(_ files: [QuestionFile], _ encoder: QuestionEncoder, withoutContext: Bool = false) throws {
    var windows: [WindowBatch.Window] = []
    var ranges: [Range<Int>] = []
    for file in files {
      let start = windows.count
      for question in file.questions {
        windows.append(
          withoutContext
            ? try encoder.windowWithoutContext(question, number: windows.count, of: file.path)
            : try encoder.window(question, number: windows.count, of: file.path))
      }
      ranges.append(start..<windows.count)
    }
    self.init(
      corpora: files.map { Corpus(path: $0.path, tokens: [], fingerprint: $0.fingerprint) }, convention: .windows,
      context: windows.map(\.tokens.count).max() ?? 0, metric: AnswerMetric(files.flatMap(\.questions)),
      windows: windows, ranges: ranges)
  }

  /// A random share of the questions of every file, and the others, both in the order of the files. The same files are
  /// always divided in the same way.
  ///
  /// - Throws: `InputError` for a file with too few questions for both.
  package func divided(share: Double) throws(InputError) -> (first: Evaluation, rest: Evaluation) {
    var generator = SplitMix64(seed: 0)
    var chosen: Set<Int> = []
    for (corpus, range) in zip(corpora, ranges) {
      let count = Int((Double(range.count) * share).rounded())
      guard count > 0, count < range.count else {
        throw InputError(
          "\(corpus.path): \(range.count) questions cannot be divided into some to search on and some to hold out")
      }
      chosen.formUnion(range.shuffled(using: &generator).prefix(count))
    }
    let all = Set(windows.indices)
    return (part(chosen), part(all.subtracting(chosen)))
  }

  /// Texts and questions, each question counting as so many tokens that all of them are that share of the whole.
  package func joined(_ questions: Evaluation, share: Double) -> Evaluation {
    guard let metric = questions.metric as? AnswerMetric else { return self }
    let tokens = Double(windows.reduce(0) { $0 + $1.scoredCount })
    let each = (share / (1 - share) * tokens / Double(max(1, questions.windows.count))).rounded()
    return Evaluation(
      corpora: corpora + questions.corpora, convention: convention, context: context,
      metric: metric.counting(tokensEach: max(1, Int(exactly: each) ?? 1)), windows: windows + questions.windows,
      ranges: ranges + questions.ranges.map { windows.count + $0.lowerBound..<windows.count + $0.upperBound })
  }

  /// What a model answers to each question, in the order of the windows; text has no part in it.
  package func answers(
    _ model: Model, memory: Int = .max, progress: (Double) throws -> Void = { _ in }
  ) throws -> [Answer] {
    guard let metric = metric as? AnswerMetric else { return [] }
    let likelihoods = try likelihoods(model, memory: memory, progress: progress)
    return metric.each(of: WindowBatch(windows), likelihoods) { metric.answer($0, $1) }.compactMap(\.self)
  }
}
