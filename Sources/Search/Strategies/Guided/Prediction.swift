internal import Checkpoints
package import Evaluation
package import Models
internal import Wording

/// What the ranks of a site would change, to first order: one backward pass through the model says it for all sites.
package struct Prediction: Sendable, Codable {
  package let layer: Int
  package let expert: Int?
  package let role: Role
  package let ranks: [Int]
  /// By rank, then by window of the search text: the change of Σ −log p in nats.
  package let changes: [[Double]]

  package var site: Site { Site(layer: layer, expert: expert, role: role) }

  init(site: Site, ranks: [Int], changes: [[Double]]) {
    (layer, expert, role) = (site.layer, site.expert, site.role)
    self.ranks = ranks
    self.changes = changes
  }
}

/// The change of a score that is predicted from a first-order change of each window.
///
/// Its mean m and standard error s are those of first order. What curvature adds is read from them too: for a
/// likelihood the second derivative is, in expectation, minus the square of the first (the information matrix
/// equality), so a window whose first-order change C varies from text to text pays ½ Var(C). Per token, with N tokens
/// in all, that is ½ N s².
package struct PredictedDelta: Sendable {
  package let firstOrder: PairedDelta
  /// With curvature; what is tested.
  package let delta: PairedDelta

  /// - Parameters:
  ///   - changes: By window, nats.
  ///   - score: Of the model as it is; its windows say how many tokens count.
  package init(changes: [Double], of score: Score) {
    let changed = zip(score.windows, changes).map { WindowScore(nll: $0.nll + $1, tokens: $0.tokens) }
    firstOrder = PairedDelta(from: score, to: Score(changed))
    let tokens = Double(score.windows.reduce(0) { $0 + $1.tokens })
    let error = firstOrder.standardError
    delta = PairedDelta(mean: firstOrder.mean + tokens * error * error / 2, standardError: error)
  }
}

/// The predictions of a search, each site's on a line of its own: read again when the search is continued.
package enum PredictionFile {
  package static func path(in folder: String) -> String { folder + "/predictions.jsonl" }

  /// The predictions in a run folder; none if it has no such file.
  package static func read(in folder: String) throws -> [Prediction] {
    try lines(path(in: folder)).values
  }

  private static func lines(_ path: String) throws -> (values: [Prediction], byteCount: Int) {
    try LineFile.read(path, as: Prediction.self) { line in
      InputError("\(path), line \(line): not a prediction; remove the file, it will be made again")
    }
  }

  /// Writes all of them anew.
  static func write(_ predictions: [Prediction], in folder: String) throws {
    let file = try LineFile(path: path(in: folder), beginnings: [#"{"changes":["#]) { 0 }
    for prediction in predictions.dropLast() { try file.append(prediction, synced: false) }
    if let last = predictions.last { try file.append(last, synced: true) }
  }
}
