internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors

/// The trials of a search, one after another: read from the journal as far as it goes, then made and written down.
struct TrialSequence: ~Copyable {
  private let search: Search
  private let journal: Journal
  private let screening: Screening?
  private let memory: Int
  private let scratchFolder: String
  private let seconds: () -> Double
  private let report: (Search.Event) throws -> Void
  private var past: PastRecords
  private var spectra: SpectrumCache
  private var scorer: TrialScorer?
  /// Scores the first windows in the precision of screening; nil where that is float32.
  private var screener: TrialScorer?
  private var number = 0
  /// Of the plan that the trials kept make, in their order; a site's last one counts.
  private(set) var kept: [Reduction] = []
  /// Whether a trial was not made because the budget was spent.
  private(set) var hasSpentBudget = false
  /// What may be spent from here on; nil for all that is asked for.
  var budget: Budget? { didSet { isOverBudget = false } }
  private var isOverBudget = false
  /// How many trials there will be at most, for those who watch.
  var expectedCount = 0

  init(
    _ search: Search, past: PastRecords, journal: consuming Journal, spectra: consuming SpectrumCache,
    screening: Screening?, memory: Int, scratchFolder: String, seconds: @escaping () -> Double,
    report: @escaping (Search.Event) throws -> Void
  ) {
    self.search = search
    self.past = past
    self.journal = journal
    self.spectra = spectra
    self.screening = screening
    self.memory = memory
    self.scratchFolder = scratchFolder
    self.seconds = seconds
    self.report = report
    budget = search.settings.budget
    rounds = search.rounds
  }

  private let rounds: WindowRounds

  /// When trials over this search's windows are stopped.
  var futility: FutilityRule {
    FutilityRule(looks: rounds.rounds.count - 1, windowCount: search.text.windows.count)
  }

  // MARK: Sites

  /// Goes through the search's sites in order with the spectrum of each and, where a trial may need it, its decomposition.
  ///
  /// - Parameter usesMatrices: Whether anything but spectra is wanted.
  mutating func forEachSite(
    usesMatrices: Bool = true, _ body: (inout TrialSequence, Site, Spectrum, SiteDecomposition?) throws -> Void
  ) throws {
    let sites = search.sites
    var recorded = 0
    let needed = sites.filter { site in
      guard let spectrum = spectra[site] else { return true }
      guard usesMatrices else { return false }
      guard let trials = past.trials(search.ranks(for: spectrum), of: site, after: recorded) else { return true }
      recorded += trials.count
      return trials.contains(where: \.kept)
    }
    let neededSites = Set(needed)
    var decompositions = search.reducer.decompositions(of: needed).makeIterator()
    for site in sites {
      if !neededSites.contains(site), let spectrum = spectra[site] {
        try body(&self, site, spectrum, nil)
      } else if let decomposition = try decompositions.next()?.get() {
        try spectra.add(decomposition.spectrum, of: site, kind: search.reducer.kind)
        try body(&self, site, decomposition.spectrum, decomposition)
      }
      if isOverBudget { return }
    }
  }

  // MARK: Trials

  /// Makes a trial, or reads it; nil when the budget is spent.
  ///
  /// - Parameters:
  ///   - later: Ranks of the site that will be tried after this one, unless something stops that.
  ///   - matrix: The site's matrix at a rank.
  mutating func trial(
    _ site: Site, rank: Int, before later: [Int] = [], phase: SearchRecord.Trial.Phase, rule: inout some TrialRule,
    matrix: (Int) throws -> StoredMatrix
  ) throws -> SearchRecord.Trial? {
    let reduction = Reduction(site: site, kind: search.reducer.kind, rank: rank)
    let trial: SearchRecord.Trial
    if budget != nil, past.hasLeft(phase) { return outOfBudget() }
    if let recorded = try past.nextTrial(reduction, phase: phase, number: number + 1) {
      trial = recorded
      if trial.kept {
        let matrix = try matrix(rank)
        try withScorer { try $0.assume(replacing: site, by: matrix) }
        _ = try withScreener { try $0.assume(replacing: site, by: matrix) }
      }
    } else {
      if let budget, !budget.allows(trials: number, seconds: seconds()) { return outOfBudget() }
      trial = try measure(reduction, phase: phase, before: later, rule: rule, matrix: matrix)
    }
    number += 1
    if let delta = trial.pairedDelta { rule.record(delta, windows: trial.windowsUsed, kept: trial.kept) }
    try take(trial)
    return trial
  }

  private mutating func outOfBudget() -> SearchRecord.Trial? {
    isOverBudget = true
    hasSpentBudget = true
    return nil
  }

  private mutating func measure(
    _ reduction: Reduction, phase: SearchRecord.Trial.Phase, before later: [Int], rule: some TrialRule,
    matrix: (Int) throws -> StoredMatrix
  ) throws -> SearchRecord.Trial {
    let site = reduction.site
    // Made once for both scorers.
    var made: [Int: StoredMatrix] = [:]
    func madeMatrix(_ rank: Int) throws -> StoredMatrix {
      if let known = made[rank] { return known }
      let new = try matrix(rank)
      made[rank] = new
      return new
    }
    func score(_ scorer: inout TrialScorer) throws -> TrialScorer.Outcome {
      try scorer.enter(layer: site.layer)
      return try scorer.score(site, rank: reduction.rank, before: later, matrix: madeMatrix) { rule.stops($0) }
    }
    let screened = try withScreener { try score(&$0) }
    let isStopped = screened.map { rule.stops($0.evidence) } ?? false
    let outcome = if let screened, isStopped { screened } else { try withScorer { try score(&$0) } }
    let keeps = !isStopped && outcome.isComplete && rule.keeps(outcome.evidence)
    let delta = outcome.evidence.delta
    var trial = record(reduction, phase: phase)
    trial.windowsUsed = outcome.evidence.windows
    trial.nll = outcome.after.meanNLL
    trial.delta = delta.mean
    trial.standardError = delta.standardError
    trial.level = rule.level
    trial.precision = isStopped ? screening?.precision.rawValue : nil
    trial.kept = keeps
    try journal.append(.trial(trial))
    if keeps {
      try withScorer { try $0.keep(outcome, changing: site) }
      if let screened { _ = try withScreener { try $0.keep(screened, changing: site) } }
    }
    return trial
  }

  // MARK: Trials of several reductions

  /// Makes or reads a trial of several reductions of one layer together; nil when the budget is spent.
  mutating func trial(
    of choices: [Portfolio.Choice], rule: inout some TrialRule
  ) throws -> SearchRecord.Trial? {
    let kind = search.reducer.kind
    let reductions = choices.map { Reduction(site: $0.site, kind: kind, rank: $0.rank) }
    let trial: SearchRecord.Trial
    if let recorded = try past.nextTrial(of: reductions, phase: .together, number: number + 1) {
      trial = recorded
      if trial.kept {
        let matrices = try search.reducer.reduced(reductions)
        try withScorer { try $0.assume(replacing: matrices) }
      }
    } else {
      if let budget, !budget.allows(trials: number, seconds: seconds()) { return outOfBudget() }
      let matrices = try search.reducer.reduced(reductions)
      let outcome = try withScorer { scorer in
        try scorer.enter(layer: reductions[0].site.layer)
        return try scorer.score(replacing: matrices) { rule.stops($0) }
      }
      var measured = record(reductions[0], phase: .together)
      measured.together = choices.map { choice in
        let tensor = search.model.reference(of: choice.site)
        return SearchRecord.Trial.Member(
          tensor: tensor.name, layer: choice.site.layer, expert: choice.site.expert, role: choice.site.role,
          rank: choice.rank, fullRank: search.reducer.fullRank(of: choice.site),
          predicted: choice.predicted.firstOrder.mean, standardError: choice.predicted.firstOrder.standardError)
      }
      take(outcome, into: &measured, level: rule.level)
      measured.kept = outcome.isComplete && rule.keeps(outcome.evidence)
      try journal.append(.trial(measured))
      if measured.kept { try withScorer { try $0.keep(outcome, changing: reductions.map(\.site)) } }
      trial = measured
    }
    number += 1
    try take(trial)
    return trial
  }

  private func take(_ outcome: TrialScorer.Outcome, into trial: inout SearchRecord.Trial, level: Double) {
    let delta = outcome.evidence.delta
    trial.windowsUsed = outcome.evidence.windows
    trial.nll = outcome.after.meanNLL
    trial.delta = delta.mean
    trial.standardError = delta.standardError
    trial.level = level
  }

  /// What the original model scores on the search text.
  mutating func baseline() throws -> Score { try withScorer { $0.original } }

  /// What every rank of every site changes to first order, read from the run folder or made and written there.
  mutating func predictions(in folder: String) throws -> [Prediction] {
    let (search, report) = (search, report)
    let windowCount = search.text.windows.count
    let known = try PredictionFile.read(in: folder)
    if known.map(\.site) == search.sites,
      known.allSatisfy({ spectra[$0.site] != nil && $0.changes.allSatisfy { $0.count == windowCount } })
    {
      return known
    }
    let reducer = search.reducer
    var effects: [Site: DirectionEffects] = [:]
    var changes: [Site: [[Double]]] = [:]
    var ranks: [Site: [Int]] = [:]
    var found: [(Site, Spectrum)] = []
    try withScorer { scorer in
      try scorer.passBackwards(
        through: Set(search.sites.map(\.layer)), roles: Set(search.sites.map(\.role)),
        beforeLayer: { layer in
          try report(.prediction(share: 1 - Double(layer + 1) / Double(search.model.configuration.layerCount)))
          effects = [:]
          let sites = search.sites.filter { $0.layer == layer }
          for decomposition in reducer.decompositions(of: sites) {
            let decomposition = try decomposition.get()
            let site = decomposition.site
            found.append((site, decomposition.spectrum))
            ranks[site] = search.ranks(for: decomposition.spectrum)
            changes[site] = Array(
              repeating: Array(repeating: 0, count: windowCount), count: ranks[site]?.count ?? 0)
            effects[site] = try DirectionEffects(decomposition)
          }
        },
        observe: { gradient, windows in
          guard let effect = effects[gradient.site], let ranks = ranks[gradient.site] else { return }
          let numbers = effect.changes(gradient, ranks: ranks)
          for place in ranks.indices {
            var sums = Array(repeating: 0.0, count: windowCount)
            for (row, token) in gradient.tokens.enumerated() {
              sums[windows[Int(token)]] += Double(numbers[row, place])
            }
            guard let known = changes[gradient.site]?[place] else { continue }
            changes[gradient.site]?[place] = zip(known, sums).map(+)
          }
        })
    }
    for (site, spectrum) in found { try spectra.add(spectrum, of: site, kind: reducer.kind) }
    let predictions = search.sites.map {
      Prediction(site: $0, ranks: ranks[$0] ?? [], changes: changes[$0] ?? [])
    }
    try PredictionFile.write(predictions, in: folder)
    return predictions
  }

  /// Gives a site a rank without a measurement.
  mutating func assign(_ site: Site, rank: Int) throws {
    let reduction = Reduction(site: site, kind: search.reducer.kind, rank: rank)
    var trial = record(reduction, phase: .assignment)
    trial.kept = true
    if let recorded = try past.nextTrial(reduction, phase: .assignment, number: number + 1) {
      trial = recorded
    } else {
      try journal.append(.trial(trial))
    }
    number += 1
    try take(trial)
  }

  private func record(_ reduction: Reduction, phase: SearchRecord.Trial.Phase) -> SearchRecord.Trial {
    let tensor = search.model.reference(of: reduction.site)
    return SearchRecord.Trial(
      number: number + 1, phase: phase, tensor: tensor.name, layer: reduction.site.layer,
      expert: reduction.site.expert, role: reduction.site.role, kind: reduction.kind, rank: reduction.rank,
      fullRank: search.reducer.fullRank(of: reduction.site), windowsUsed: 0, nll: 0, delta: 0, standardError: 0,
      level: 0,
      kept: false, seconds: seconds())
  }

  private mutating func take(_ trial: SearchRecord.Trial) throws {
    if trial.kept {
      for reduction in trial.reductions {
        kept.removeAll { $0.site == reduction.site }
        kept.append(reduction)
      }
    }
    try report(.trial(trial, of: max(expectedCount, number)))
  }

  /// The baseline is run when the first trial needs it.
  private mutating func withScorer<Result>(_ body: (inout TrialScorer) throws -> Result) throws -> Result {
    var current = try scorer.take() ?? newScorer()
    defer { scorer = current }
    return try body(&current)
  }

  /// Nil where trials are not screened.
  private mutating func withScreener<Result>(_ body: (inout TrialScorer) throws -> Result) throws -> Result? {
    if scorer == nil { scorer = try newScorer() }
    guard var current = screener.take() else { return nil }
    defer { screener = current }
    return try body(&current)
  }

  /// Makes the scorer, and the screener if there is to be one.
  private mutating func newScorer() throws -> TrialScorer {
    let firstLayer = search.sites.map(\.layer).min() ?? 0
    if let screening {
      screener = try TrialScorer(
        screening.model, screening.evaluation, rounds: screening.rounds, firstLayer: firstLayer,
        memory: screening.memory, scratchFolder: scratchFolder)
    }
    return try TrialScorer(
      search.model, search.text, rounds: rounds, firstLayer: firstLayer, memory: screening?.scorerMemory ?? memory,
      others: search.reducer.byteCount(of: search.sites), scratchFolder: scratchFolder
    ) { [report] in try report(.baseline(share: $0)) }
  }

  /// Gives back the memory that trials took: there will be none any more. Returns what the search text scored with all that
  /// was kept, if it is known.
  mutating func end() -> Score? {
    defer {
      scorer = nil
      screener = nil
    }
    return scorer.flatMap { $0.isScoreKnown ? $0.score : nil }
  }

  /// Writes down the result: the journal is then finished.
  mutating func finish(_ result: SearchRecord.Result) throws { try journal.append(.result(result)) }
}
