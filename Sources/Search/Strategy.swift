/// The order in which a search tries and keeps reductions.
package enum Strategy: String, Sendable, CaseIterable, Codable {
  /// From the last layer down, keeping what improves the model as it then is (laserRMT's order).
  case sweep
  /// Every single reduction against the original model first; then they are composed from the best on, each measured
  /// again on top of those kept (the paper's composition).
  case greedy
  /// A backward pass foretells what every reduction changes; from the last layer down, those of a layer that are foretold to
  /// help are made and measured together.
  case guided
  /// No trials: every site is cut at the edge of its noise.
  case noiseEdge = "noise-edge"
}
