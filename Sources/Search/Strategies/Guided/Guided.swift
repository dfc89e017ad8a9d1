internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors

/// One backward pass predicts what every rank of every site changes. Those that are predicted to improve the model
/// count as candidates if they pass as findings among all predictions (Benjamini & Hochberg). From the last layer down,
/// the best of a layer's candidates are then made and measured together, and kept if the score falls by more than its
/// noise; otherwise the better half of them is tried, then the other.
package enum Guided: SearchStrategy {
  package static let name = "guided"
  package static let help =
    "guided predicts from one backward pass what every reduction would change, and measures only those of each layer that are "
    + "predicted to help, together."
  package static let screensTrials = false

  package static func run(_ context: inout SearchContext) throws {
    let predictions = try predictions(&context)
    let baseline = try context.baseline()
    let choices = predictions.flatMap { prediction in
      zip(prediction.ranks, prediction.changes).map {
        JointSelection.Choice(
          site: prediction.site, rank: $0, changes: $1, predicted: PredictedDelta(changes: $1, of: baseline))
      }
    }
    let test = PredictionTest(choices.map(\.predicted.delta), context.settings, windowCount: context.windowCount)
    let candidates = choices.filter { test.passes($0.predicted.delta) }
    let rule = ImprovementRule(
      Acceptance(confidence: context.settings.confidence, falseDiscoveryRate: 1), futility: context.futility)
    context.expectedCount = Set(candidates.map(\.site.layer)).count
    for layer in Set(context.sites.map(\.layer)).sorted(by: >) {
      let selection = JointSelection(of: candidates.filter { $0.site.layer == layer }, score: baseline)
      guard try tryTogether(selection.choices[...], &context, rule) else { break }
    }
  }

  /// Returns false when the budget is spent.
  private static func tryTogether(
    _ choices: ArraySlice<JointSelection.Choice>, _ context: inout SearchContext, _ rule: ImprovementRule
  ) throws -> Bool {
    guard !choices.isEmpty else { return true }
    let kind = context.reducer.kind
    let trial = try context.trial(
      of: choices.map { Reduction(site: $0.site, kind: kind, rank: $0.rank) },
      predicted: choices.map(\.predicted.firstOrder), phase: .together, rule: rule)
    guard let trial else { return false }
    guard !trial.kept, choices.count > 1 else { return true }
    context.expectedCount += 2
    let middle = choices.startIndex + choices.count / 2
    return try tryTogether(choices[..<middle], &context, rule) && tryTogether(choices[middle...], &context, rule)
  }

  package static func expectedFalseKeeps(
    _ trials: [SearchRecord.Trial], _ settings: SearchSettings, windowCount: Int
  ) -> Double { trials.reduce(0) { $1.phase == .prediction ? $0 + $1.level : $0 } }

  // MARK: Predictions

  /// What every rank of every site changes to first order, read from the run folder or made and written there.
  private static func predictions(_ context: inout SearchContext) throws -> [Prediction] {
    let (sites, windowCount, report) = (context.sites, context.windowCount, context.report)
    let known = try PredictionFile.read(in: context.folder)
    if known.map(\.site) == sites, sites.allSatisfy({ context.hasSpectrum(of: $0) }),
      known.allSatisfy({ $0.changes.allSatisfy { $0.count == windowCount } })
    {
      return known
    }
    var tallies: [Site: Tally] = [:]
    var effects: [Site: DirectionEffects] = [:]
    let pass = try context.backwardPass()
    let layerCount = Double(context.reducer.model.configuration.layerCount)
    try pass.run(
      through: Set(sites.map(\.layer)), roles: Set(sites.map(\.role)),
      beforeLayer: { layer in
        try report(.prediction(share: 1 - Double(layer + 1) / layerCount))
        effects = [:]
        for decomposition in context.reducer.decompositions(of: sites.filter { $0.layer == layer }) {
          let decomposition = try decomposition.get()
          tallies[decomposition.site] = Tally(
            spectrum: decomposition.spectrum, ranks: context.ranks(for: decomposition.spectrum),
            windowCount: windowCount)
          effects[decomposition.site] = try DirectionEffects(decomposition)
        }
      },
      observe: { gradient, windows in
        guard let effect = effects[gradient.site] else { return }
        tallies[gradient.site]?.add(effect, gradient, windows)
      })
    for site in sites {
      if let tally = tallies[site] { try context.add(tally.spectrum, of: site) }
    }
    let predictions = sites.map {
      Prediction(site: $0, ranks: tallies[$0]?.ranks ?? [], changes: tallies[$0]?.changes ?? [])
    }
    try PredictionFile.write(predictions, in: context.folder)
    return predictions
  }

  /// The first-order changes of a site's ranks, summed as gradients come.
  private struct Tally {
    let spectrum: Spectrum
    let ranks: [Int]
    /// By rank, then by window.
    var changes: [[Double]]

    init(spectrum: Spectrum, ranks: [Int], windowCount: Int) {
      self.spectrum = spectrum
      self.ranks = ranks
      changes = ranks.map { _ in Array(repeating: 0, count: windowCount) }
    }

    /// - Parameter windows: The window of each token.
    mutating func add(_ effect: DirectionEffects, _ gradient: SiteGradient, _ windows: [Int]) {
      let numbers = effect.changes(gradient, ranks: ranks)
      for place in ranks.indices {
        var sums = Array(repeating: 0.0, count: changes[place].count)
        for (row, token) in gradient.tokens.enumerated() { sums[windows[Int(token)]] += Double(numbers[row, place]) }
        changes[place] = zip(changes[place], sums).map(+)
      }
    }
  }
}
