internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import Tensors

/// The first windows of trials, which are run in another precision than float32. A trial that they do not stop is run
/// in float32 from its first window.
struct PrecisionScreening {
  let precision: Precision
  let model: Model
  let evaluation: Evaluation
  let rounds: WindowRounds
  let memory: Int
  /// What is left for the scorer in float32.
  let scorerMemory: Int

  /// Nil where there is none: float32 was asked for or is all the processor has, no trial is looked at so early, or the
  /// memory does not hold all weights beside both scorers' states. Then reading weights is what takes the time.
  ///
  /// - Parameters:
  ///   - memory: Bytes for both scorers.
  ///   - others: Bytes of it that are taken for something else.
  init?(
    in precision: Precision, of model: Model, on text: Evaluation, _ rounds: WindowRounds, memory: Int, others: Int
  ) {
    guard precision.here != .float32, let early = rounds.early else { return nil }
    self.precision = precision
    evaluation = text.part(early.windows)
    self.rounds = early.rounds
    var model = model
    scorerMemory = memory - memory / 4
    let scorers = try? ScorerMemory(model, text, memory: scorerMemory, others: others)
    model.execution.precision = precision
    self.model = model
    // The weights are the scorer's too, and counted there.
    self.memory = memory / 4 + model.checkpoint.byteCount
    let own = try? ScorerMemory(model, evaluation, memory: self.memory, others: 0)
    guard let scorers, let own, !scorers.plan.streams, !own.plan.streams else { return nil }
  }
}
