package import Tensors

/// How a model is run; nothing of it is written into a checkpoint.
package struct Execution: Sendable {
  /// What matrix products take. Routers always take float32.
  package var precision = Precision.float32
  /// Whether weights are read as they are stored rather than packed: right for a few tokens at a time.
  package var usesStoredWeights = false
  /// Whether pages of weights are given back once they were read, because memory does not hold them all.
  package var streamsWeights = false
  /// Hidden channels of an expert that are packed at once, at most.
  package var channelLimit = Int.max
}
