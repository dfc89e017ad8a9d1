internal import Evaluation
internal import Models
internal import RankReduction

/// What trials have kept, one after another: a running total.
package struct KeptSoFar: Sendable {
  /// Accepted trials; a site may have several.
  package private(set) var steps = 0
  private var sites: Set<Site> = []
  /// What all of them change together, in nats per token of the search text; nil where nothing was measured.
  package private(set) var delta: Double?

  package init(_ trials: [SearchRecord.Trial] = []) { for trial in trials { add(trial) } }

  package mutating func add(_ trial: SearchRecord.Trial) {
    guard trial.kept else { return }
    steps += 1
    for reduction in trial.reductions { sites.insert(reduction.site) }
    // Each was measured on top of those before.
    if let change = trial.pairedDelta { delta = (delta ?? 0) + change.mean }
  }

  package var matrixCount: Int { sites.count }
}
