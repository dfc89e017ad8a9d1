internal import Evaluation
internal import Inference
internal import RankReduction
internal import Wording

/// Finds the damping of filters honestly: filters are made from the fitting windows and measured on the judging ones.
///
/// The dampings are powers of 2. A group's search begins cautiously and goes down by quarters as long as the score gets
/// better, then looks at the powers of 2 beside the best. The best of those that lower the nll by more than its noise is
/// taken; if none does, in the first round, the halves of the group are tried at the best one's damping, and theirs. Every
/// test is made at (1 − confidence) / `mostRungs` (Bonferroni), as many as there may be.
struct DampingSearch {
  /// Of 2: k from 1 to 1024.
  private static let exponents = 0...10
  /// Models that may be measured for the filters that are kept; each on half the search text.
  static let mostRungs = 24
  /// About as many a group takes, for those who watch.
  static let usualRungs = 6

  private let kind: FilterKind
  /// The one damping that was asked for.
  private let damping: Double?
  /// Whether it is the search of something that is only measured for comparison.
  private let isAlternative: Bool
  private let round: Int
  private let level: Double
  /// What was accepted so far.
  private(set) var choice = FilterChoice()
  /// The judging windows' score with it.
  private(set) var score: Score
  private var rungsLeft = Self.mostRungs

  /// - Parameters:
  ///   - original: The judging windows' score of the model that the search begins with.
  ///   - round: Of `settings.rounds`, from 1.
  init(_ kind: FilterKind, settings: SearchSettings, original: Score, round: Int = 1, isAlternative: Bool = false) {
    self.kind = kind
    damping = isAlternative ? nil : settings.damping
    self.isAlternative = isAlternative
    self.round = round
    level = (1 - settings.confidence) / Double(Self.mostRungs * settings.rounds)
    score = original
  }

  /// Where a group's search begins: at k = 64; one factor for each matrix needs less caution.
  private var firstExponent: Int { isAlternative ? 4 : 6 }

  /// Searches one group's damping, on top of what was accepted.
  mutating func search(_ group: SiteGroup, _ context: inout SearchContext, _ study: FilterStudy) throws {
    let rungs =
      try damping.map { try [measure(group, $0, &context, study)].compactMap(\.self) }
      ?? descend(group, &context, study)
    func best(of rungs: [Measured]) -> Measured? { rungs.min { $0.delta.mean < $1.delta.mean } }
    if let found = best(of: rungs.filter(\.passes)) {
      (choice, score) = (found.choice, found.score)
    } else if let best = best(of: rungs), !isAlternative, round == 1 {
      try searchHalves(group, best.damping, &context, study)
    }
  }

  /// What was measured on the way to the best damping.
  private mutating func descend(
    _ group: SiteGroup, _ context: inout SearchContext, _ study: FilterStudy
  ) throws -> [Measured] {
    var rungs: [Int: Measured] = [:]
    var best: Int?
    /// Whether a damping is better than the best so far; nil where nothing more can be measured there.
    func isBetter(_ exponent: Int) throws -> Bool? {
      guard Self.exponents.contains(exponent), rungs[exponent] == nil,
        let rung = try measure(group, Double(1 << exponent), &context, study)
      else { return nil }
      rungs[exponent] = rung
      if let before = best.flatMap({ rungs[$0] }), before.delta.mean <= rung.delta.mean { return false }
      best = exponent
      return true
    }
    for exponent in stride(from: firstExponent, through: Self.exponents.lowerBound, by: -2) {
      if try isBetter(exponent) == false { break }
    }
    guard let coarse = best else { return [] }
    if try isBetter(coarse - 1) != true {
      var exponent = coarse + 1
      while try isBetter(exponent) == true { exponent += 1 }
    }
    return rungs.values.sorted { $0.damping > $1.damping }
  }

  /// Tries both halves of a group, and theirs as far as they do not pass.
  private mutating func searchHalves(
    _ group: SiteGroup, _ damping: Double, _ context: inout SearchContext, _ study: FilterStudy
  ) throws {
    guard let halves = group.halves else { return }
    for half in [halves.0, halves.1] {
      guard let rung = try measure(half, damping, &context, study) else { continue }
      if rung.passes {
        (choice, score) = (rung.choice, rung.score)
      } else {
        try searchHalves(half, damping, &context, study)
      }
    }
  }

  private struct Measured {
    let damping: Double
    let choice: FilterChoice
    let score: Score
    let delta: PairedDelta
    let passes: Bool
  }

  /// Nil where the fitting windows change nothing, and when no more rungs may be measured.
  private mutating func measure(
    _ group: SiteGroup, _ damping: Double, _ context: inout SearchContext, _ study: FilterStudy
  ) throws -> Measured? {
    let choice = choice.setting(.init(kind: kind, damping: damping), at: group.sites)
    guard study.changes(choice, group.sites), rungsLeft > 0, context.allowsTrial() else { return nil }
    rungsLeft -= 1
    let reductions = study.reductions(choice)
    let before = score
    let (kind, round, isAlternative, level) = (kind, round, isAlternative, level)
    let guardText = isAlternative ? nil : context.guardText
    let isSame = { (rung: SearchRecord.Rung) in
      rung.round == round && rung.group == group.name && rung.filter == kind && rung.damping == damping
        && rung.sites == group.sites.count && rung.isAlternative == isAlternative
        && rung.windows.map(\.tokens) == before.windows.map(\.tokens)
        // The same change from what came before: it is the same that came before.
        && rung.delta == PairedDelta(from: before, to: Score(rung.windows)).mean
    }
    let rung = try context.rung(isSame: isSame) { number, known, check in
      let after = try known.map { Score($0.windows) } ?? study.judge(reductions, checkpoint: check)
      let delta = PairedDelta(from: before, to: after)
      let improves = delta.mean < 0 && Significance.pValue(delta, windows: after.windows.count) < level
      let guarded =
        improves ? try known?.guarded ?? guardText?.evidence(reductions, checkpoint: check) : nil
      return SearchRecord.Rung(
        number: number, round: round, group: group.name, filter: kind, damping: damping, sites: group.sites.count,
        windows: after.windows, nll: after.meanNLL, delta: delta.mean, standardError: delta.standardError, level: level,
        passes: improves && guarded?.passes ?? true, guarded: guarded, isAlternative: isAlternative, seconds: 0)
    }
    guard rung.round == round, rung.group == group.name, rung.filter == kind, rung.damping == damping,
      rung.sites == group.sites.count, rung.windows.map(\.tokens) == before.windows.map(\.tokens)
    else { throw InputError("the journal does not fit the search: rung \(rung.number) is another one") }
    return Measured(
      damping: damping, choice: choice, score: Score(rung.windows),
      delta: PairedDelta(mean: rung.delta, standardError: rung.standardError), passes: rung.passes)
  }
}
