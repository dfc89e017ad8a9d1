package import Evaluation
package import Models

/// Which of a layer's predicted reductions to make together, at most one a site.
///
/// Changes add up to first order, so what is predicted of several is `PredictedDelta` of the sums of their windows:
/// curvature grows with the variance of the sum. One after another, the reduction is taken that makes the whole best,
/// as long as one does.
package struct JointSelection {
  package struct Choice {
    package let site: Site
    package let rank: Int
    package let changes: [Double]
    package let predicted: PredictedDelta

    package init(site: Site, rank: Int, changes: [Double], predicted: PredictedDelta) {
      (self.site, self.rank, self.changes, self.predicted) = (site, rank, changes, predicted)
    }
  }

  package private(set) var choices: [Choice] = []

  package init(of candidates: [Choice], score: Score) {
    var left = candidates
    var sum = Array(repeating: 0.0, count: score.windows.count)
    var best = 0.0
    while true {
      let means = left.map { candidate in
        PredictedDelta(changes: zip(sum, candidate.changes).map(+), of: score).delta.mean
      }
      guard let place = means.indices.min(by: { means[$0] < means[$1] }), means[place] < best else { return }
      best = means[place]
      let chosen = left[place]
      sum = zip(sum, chosen.changes).map(+)
      choices.append(chosen)
      left.removeAll { $0.site == chosen.site }
    }
  }
}
