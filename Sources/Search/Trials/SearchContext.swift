internal import Checkpoints
internal import Evaluation
package import Models
internal import Processes
package import RankReduction
package import Tensors
internal import Wording

/// What a strategy works with: the sites, trials that are made once and read again, the budget, and those who watch.
package struct SearchContext: ~Copyable {
  package let settings: SearchSettings
  package let reducer: Reducer
  /// From the last layer down.
  package let sites: [Site]
  /// Where the search keeps its files, or, in a process that helps, what does not fit its memory.
  package let folder: String
  /// When trials over this search's windows are stopped.
  package let futility: FutilityRule
  /// Windows of the search text.
  package let windowCount: Int
  /// What may be spent from here on; nil for all that is asked for.
  package var budget: Budget? { didSet { isOverBudget = false } }
  /// How many trials there will be at most, for those who watch.
  package var expectedCount = 0
  /// Whether a trial was not made because the budget was spent.
  package private(set) var hasSpentBudget = false
  private var isOverBudget = false
  /// Measured on the held-out text beside the result.
  var alternatives: [AlternativeReductions] = []
  /// How many rungs were measured so far.
  var rungCount = 0
  /// What may not get worse; nil where nothing is guarded.
  let guardText: GuardText?
  let search: Search
  var log: TrialLog
  var spectra: SpectrumCache
  private var scorers: Scorers?
  private let screening: PrecisionScreening?
  let memory: Int
  /// Since the search began, without the time between sessions.
  let seconds: () -> Double
  private var pace: TrialPace
  /// When the last trial ended, or what came before the first.
  private var lastEnd: Double
  let report: (SearchEvent) throws -> Void

  init(
    _ search: Search, log: consuming TrialLog, spectra: consuming SpectrumCache, screening: PrecisionScreening?,
    memory: Int, folder: String, seconds: @escaping () -> Double, report: @escaping (SearchEvent) throws -> Void
  ) {
    self.search = search
    settings = search.settings
    reducer = search.reducer
    sites = search.sites
    windowCount = search.text.windows.count
    futility = FutilityRule(looks: search.rounds.rounds.count - 1, windowCount: windowCount)
    budget = search.settings.budget
    self.log = log
    self.spectra = spectra
    self.screening = screening
    self.memory = memory
    self.folder = folder
    self.seconds = seconds
    pace = TrialPace(search.model)
    guardText = search.guarded.map {
      GuardText(
        $0, search, FilteredModels(search.reducer, memory: memory, folder: folder), memory: memory)
    }
    lastEnd = seconds()
    self.report = report
  }

  // MARK: Sites

  /// Each rank to try once, in the order of the rules; those that make the matrix smaller, from the smallest, if that is the
  /// objective.
  ///
  /// Fractions count from the rank that stands above rounding, where there is a base: a difference made by an adapter has a
  /// rank of 8 to 64, and rounding for the rest.
  package func ranks(for spectrum: Spectrum) -> [Int] {
    var ranks: [Int] = []
    let whole = reducer.kind == .delta ? spectrum.numericalRank : nil
    for rule in settings.rankRules {
      let rank = rule.rank(for: spectrum, fractionsOf: whole)
      if !ranks.contains(rank) { ranks.append(rank) }
    }
    guard case .size = settings.objective else { return ranks }
    // Two factors of r columns and rows are smaller than the matrix while r (m + n) < m n.
    let (m, n) = (spectrum.rows, spectrum.columns)
    return ranks.filter { $0 * (m + n) < m * n }.sorted()
  }

  /// Goes through the search's sites in order with the spectrum of each and, where a trial may need it, its decomposition.
  ///
  /// - Parameter usesMatrices: Whether anything but spectra is wanted.
  package mutating func forEachSite(
    usesMatrices: Bool = true,
    _ body: (inout SearchContext, Site, Spectrum, SiteDecomposition?) throws -> Void
  ) throws {
    var recorded = 0
    var needed: [Site] = []
    for site in sites {
      guard let spectrum = spectra[site] else {
        needed.append(site)
        continue
      }
      guard usesMatrices else { continue }
      let trials = log.recorded(ranks(for: spectrum), of: site, after: recorded)
      recorded += trials?.count ?? 0
      if trials?.contains(where: \.kept) ?? true { needed.append(site) }
    }
    let neededSites = Set(needed)
    var decompositions = reducer.decompositions(of: needed).makeIterator()
    if usesMatrices { expectTrials(at: sites.map { ($0, settings.rankRules.count) }) }
    for site in sites {
      // A site may need fewer trials than there are ranks.
      let left = pace.expected(layer: site.layer) - settings.rankRules.count
      defer { pace.expect(atMost: left, layer: site.layer) }
      if !neededSites.contains(site), let spectrum = spectra[site] {
        try body(&self, site, spectrum, nil)
      } else if let decomposition = try decompositions.next()?.get() {
        try add(decomposition.spectrum, of: site)
        try body(&self, site, decomposition.spectrum, decomposition)
      }
      if isOverBudget { return }
    }
  }

  /// Writes down a spectrum, for reports and for a search that is continued.
  mutating func add(_ spectrum: Spectrum, of site: Site) throws {
    try spectra.add(spectrum, of: site, kind: reducer.kind)
  }

  // MARK: Trials

  /// Makes a trial, or reads it; nil when the budget is spent.
  ///
  /// - Parameters:
  ///   - later: Ranks of the site that will be tried after this one, unless something stops that.
  ///   - matrix: The site's matrix at a rank.
  package mutating func trial(
    _ site: Site, rank: Int, before later: [Int] = [], phase: SearchRecord.Trial.Phase, rule: inout some TrialRule,
    matrix: (Int) throws -> StoredMatrix
  ) throws -> SearchRecord.Trial? {
    if budget != nil, log.hasLeft(phase) { return outOfBudget() }
    let reduction = Reduction(site: site, kind: reducer.kind, rank: rank)
    let trial: SearchRecord.Trial
    let recorded = try log.recorded([reduction], phase: phase)
    guard recorded != nil || allowsTrial() else { return outOfBudget() }
    let known = try recorded ?? decidedAnew(reduction, phase: phase, rule)
    if let known {
      trial = known
      if trial.kept { try madeScorers().adopt(Replacement(site, by: try matrix(rank))) }
    } else {
      let scorers = try madeScorers()
      let measurement = try scorers.measure(site, rank: rank, before: later, rule: rule, matrix: matrix)
      var guarded: GuardEvidence?
      if measurement.isKept, let guardText {
        guarded = try guardText.evidence(log.kept.filter { $0.site != site } + [reduction]) { [report] _ in
          try report(.baseline(share: 1))
        }
      }
      trial = try write(measurement, of: reduction, phase: phase, level: rule.level, guarded)
      if trial.kept { try scorers.keep(measurement) }
    }
    if let delta = trial.pairedDelta { rule.record(delta, windows: trial.windowsUsed, kept: trial.kept) }
    log.count(trial)
    pace.count(layer: site.layer, seconds: known == nil ? seconds() - lastEnd : nil)
    lastEnd = seconds()
    try report(
      .trial(
        trial,
        TrialProgress(
          expected: max(expectedCount, log.count), share: pace.share, secondsLeft: secondsLeft, isNew: known == nil))
    )
    return trial
  }

  /// A trial that an extended search measured on the same model, decided by the rule as it now is and written down; nil
  /// where what was measured does not decide it.
  private mutating func decidedAnew(
    _ reduction: Reduction, phase: SearchRecord.Trial.Phase, _ rule: some TrialRule
  ) throws -> SearchRecord.Trial? {
    guard var trial = log.reusable(reduction, phase: phase), settings.objective == .perplexity,
      let delta = trial.pairedDelta
    else { return nil }
    let evidence = TrialEvidence(delta, windows: trial.windowsUsed)
    if trial.windowsUsed == windowCount {
      trial.kept = rule.keeps(evidence)
      if trial.kept, guardText != nil {
        guard let guarded = trial.guarded else { return nil }
        trial.kept = guarded.passes
      }
    } else {
      guard rule.stops(evidence) else { return nil }
      trial.kept = false
    }
    (trial.number, trial.level, trial.seconds) = (log.count + 1, rule.level, seconds())
    try log.write(trial)
    return trial
  }

  /// Says which trials may come, for those who watch.
  package mutating func expectTrials(at sites: [(site: Site, count: Int)]) {
    pace.expect(Dictionary(sites.map { ($0.site.layer, $0.count) }) { $0 + $1 })
  }

  /// Seconds until the trials end, or until the budget does.
  private var secondsLeft: Double? {
    switch budget {
    case nil: pace.secondsLeft()
    case .trials(let count): pace.secondsLeft(most: max(0, count - log.count))
    case .seconds(let limit):
      pace.secondsLeft().map { min($0, max(0, Double(limit) - seconds())) }
    }
  }

  /// Gives a site a filter without a measurement.
  ///
  /// - Parameter filterKind: What its factors may be; nil for a rank.
  package mutating func assign(_ site: Site, _ filter: Filter, filterKind: FilterKind? = nil) throws {
    let reduction = Reduction(site: site, kind: reducer.kind, filter: filter)
    let trial: SearchRecord.Trial
    if let recorded = try log.recorded([reduction], phase: .assignment) {
      trial = recorded
    } else {
      var new = record(reduction, phase: .assignment)
      new.evidence = .none
      new.kept = true
      new.filter = filterKind
      new.removed = filterKind == nil ? nil : spectra[site].map { $0.removed(by: filter) }
      try log.write(new)
      trial = new
    }
    log.count(trial, reductions: [reduction])
    let expected = max(expectedCount, log.count)
    try report(
      .trial(
        trial,
        TrialProgress(
          expected: expected, share: Double(log.count) / Double(expected), secondsLeft: nil, isNew: true)))
  }

  /// Writes the factors of the kept filters down, beside where the plan will be.
  package func writeFilters() throws {
    guard search.processes.isFirst else { return }
    try FilterFile.write(log.kept, to: FilterFile.path(besidePlan: folder + "/plan.yaml"))
  }

  // MARK: The plan

  /// The plan that the trials kept make.
  package var kept: [Reduction] { log.kept }

  // MARK: The end

  /// Gives back the memory that trials took: there will be none any more. Returns what the search text scored with the
  /// original model and with all that was kept, as far as that is known.
  mutating func end() -> (original: Score?, searched: Score?) {
    defer { scorers = nil }
    return (log.original, scorers?.current)
  }

  /// Writes down the result: the journal is then finished.
  func finish(_ result: SearchRecord.Result) throws { try log.finish(result) }

  // MARK: Inside

  /// The same in all processes, whose clocks differ.
  func allowsTrial() -> Bool {
    guard let budget else { return true }
    let allows = budget.allows(trials: log.count, seconds: seconds())
    return search.processes.broadcast([allows], from: 0) == [true]
  }

  private mutating func outOfBudget() -> SearchRecord.Trial? {
    isOverBudget = true
    hasSpentBudget = true
    return nil
  }

  /// The baseline is run when the first trial needs it.
  private mutating func madeScorers() throws -> Scorers {
    if let scorers { return scorers }
    let new = try Scorers(search, screening: screening, memory: memory, scratchFolder: folder) { [report] in
      try report(.baseline(share: $0))
    }
    try log.write(original: new.original)
    scorers = new
    lastEnd = seconds()
    return new
  }

  func record(_ reduction: Reduction, phase: SearchRecord.Trial.Phase) -> SearchRecord.Trial {
    SearchRecord.Trial(
      number: log.count + 1, phase: phase, tensor: reducer.model.reference(of: reduction.site).name,
      layer: reduction.site.layer, expert: reduction.site.expert, role: reduction.site.role, kind: reduction.kind,
      rank: reduction.rank, fullRank: reducer.fullRank(of: reduction.site), evidence: .measured, windowsUsed: 0, nll: 0,
      delta: 0, standardError: 0, level: 0, kept: false, seconds: seconds())
  }

  private func write(
    _ measurement: Scorers.Measurement, of reduction: Reduction, phase: SearchRecord.Trial.Phase, level: Double,
    _ guarded: GuardEvidence?
  ) throws -> SearchRecord.Trial {
    var trial = record(reduction, phase: phase)
    trial.record(measurement.outcome.evidence, nll: measurement.outcome.after.meanNLL, level: level)
    trial.precision = measurement.stoppedIn?.rawValue
    trial.guarded = guarded
    trial.kept = measurement.isKept && guarded?.passes ?? true
    try log.write(trial)
    return trial
  }
}
