internal import Checkpoints
internal import Evaluation
internal import Inference
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
      kept.removeAll { $0.site == trial.site }
      kept.append(trial.reduction)
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
