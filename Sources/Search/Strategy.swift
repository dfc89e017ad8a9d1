/// The order in which a search tries and keeps reductions.
package enum Strategy: String, Sendable, CaseIterable, Codable {
  /// From the last layer down, keeping what improves the model as it then is (laserRMT's order).
  case sweep
  /// Every single reduction against the original model first; then they are composed from the best on, each measured
  /// again on top of those kept (the paper's composition).
  case greedy
  /// No trials: every site is cut at the edge of its noise.
  case noiseEdge = "noise-edge"
}
