internal import Evaluation
internal import Models
internal import RankReduction

/// The text that may not get worse, and how models do on it. It is measured only where a model would be accepted.
final class GuardText {
  let evaluation: Evaluation
  private let models: FilteredModels
  private let model: Model
  private let settings: SearchSettings
  private let memory: Int
  private var original: Score?

  init(_ evaluation: Evaluation, _ search: Search, _ models: FilteredModels, memory: Int) {
    (self.evaluation, self.models, self.memory) = (evaluation, models, memory)
    (model, settings) = (search.model, search.settings)
  }

  /// What the model with some reductions does to it.
  func evidence(_ reductions: [Reduction], checkpoint: (Double) throws -> Void) throws -> GuardEvidence {
    let before = try original ?? evaluation.score(model, memory: memory, progress: checkpoint)
    original = before
    let after = try models.score(reductions, on: evaluation, checkpoint: checkpoint)
    return GuardEvidence(
      PairedDelta(from: before, to: after), windows: after.windows.count, limit: settings.allowedOnGuard,
      confidence: settings.confidence)
  }
}
