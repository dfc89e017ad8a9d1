package import Evaluation
package import Models
package import RankReduction

extension SearchRecord {
  /// One reduction, or several made together, against the model as it then was.
  package struct Trial: Sendable, Codable {
    package var number: Int
    package var phase: Phase
    package var tensor: String
    package var layer: Int
    package var expert: Int?
    package var role: Role
    package var kind: ReductionKind
    package var rank: Int
    package var fullRank: Int
    /// Where the numbers of this reduction come from.
    package var evidence: Evidence
    /// How many windows were run; the trial was stopped if they are not all. None for an assignment, which says nothing
    /// of nll, delta and error.
    package var windowsUsed: Int
    /// Over those windows, of the changed model; delta is paired on them.
    package var nll: Double
    package var delta: Double
    package var standardError: Double
    /// The level at which the delta was tested: how often chance alone would pass.
    package var level: Double
    /// What products were computed in, where it is not float32. Such a trial was stopped after its first windows.
    package var precision: String?
    package var kept: Bool
    /// What all that is kept with it does to the guard text; nil without one, and where nothing would be kept.
    package var guarded: GuardEvidence?
    /// All members of a trial of several reductions made together. The trial's own site is then the first one's; nll,
    /// delta and error are those of the whole.
    package var together: [Member]?
    /// What the site's filter was made by, of a member; nil for a rank.
    package var filter: FilterKind?
    package var damping: Double?
    package var scale: Float?
    package var removed: Double?
    /// Since the search began, without the time between sessions.
    package var seconds: Double

    /// Where in its strategy a trial belongs.
    package enum Phase: String, Sendable, Codable {
      case sweep
      /// Greedy: a reduction of the original model.
      case single
      /// Greedy: a reduction on top of those kept before.
      case composition
      /// A rank given to a site without a measurement.
      case assignment
      /// Filters: those of all sites, measured together on windows that did not make them.
      case filters
    }

    /// What is known of a reduction, and how.
    package enum Evidence: String, Sendable, Codable {
      /// Measured by itself, on the model as it then was.
      case measured
      /// Its share of what several reductions were measured to change together.
      case shared
      /// Nothing: it was chosen by a rule.
      case none
    }

    /// One of several reductions made together.
    package struct Member: Sendable, Codable {
      package var tensor: String
      package var layer: Int
      package var expert: Int?
      package var role: Role
      package var rank: Int
      package var fullRank: Int
      /// The change that was predicted to first order, and its error.
      package var predicted: Double
      package var standardError: Double
      /// What its filter was made by; nil for a rank.
      package var filter: FilterKind?
      package var damping: Double?
      /// The factor of a filter that has one for all directions.
      package var scale: Float?
      /// Share of Σ σ² that the filter takes away (or adds, below 0).
      package var removed: Double?

      package var site: Site { Site(layer: layer, expert: expert, role: role) }
    }

    /// What the trial reduced.
    ///
    /// Of filters, only the ranks are known here: see `SearchOutcome.reduction`.
    var reductions: [Reduction] {
      together.map { $0.map { Reduction(site: $0.site, kind: kind, rank: $0.rank) } } ?? [reduction]
    }

    package var site: Site { Site(layer: layer, expert: expert, role: role) }
    var reduction: Reduction { Reduction(site: site, kind: kind, rank: rank) }
    /// Nil where nothing is known.
    package var pairedDelta: PairedDelta? {
      evidence == .none ? nil : PairedDelta(mean: delta, standardError: standardError)
    }
  }
}

extension SearchRecord.Trial {
  /// A trial of several reductions made together as one of each, with its share of the change that was measured: as
  /// much as was predicted of it.
  var members: [SearchRecord.Trial] {
    guard let together else { return [self] }
    let predicted = together.reduce(0) { $0 + $1.predicted }
    let quotient = delta / predicted
    // Predictions that cancel each other say nothing of anyone's share.
    let share = quotient.isFinite ? quotient : 0
    return together.map { member in
      var trial = self
      trial.together = nil
      trial.evidence = .shared
      (trial.tensor, trial.layer, trial.expert, trial.role) = (member.tensor, member.layer, member.expert, member.role)
      (trial.rank, trial.fullRank) = (member.rank, member.fullRank)
      trial.delta = member.predicted * share
      trial.standardError = member.standardError * abs(share)
      (trial.filter, trial.damping, trial.scale, trial.removed) =
        (member.filter, member.damping, member.scale, member.removed)
      return trial
    }
  }

  /// Writes down what was measured.
  mutating func record(_ evidence: TrialEvidence, nll: Double, level: Double) {
    windowsUsed = evidence.windows
    self.nll = nll
    delta = evidence.delta.mean
    standardError = evidence.delta.standardError
    self.level = level
  }
}
