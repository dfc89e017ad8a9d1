internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Wording

/// What a search will take: tokens, models to measure, memory and disk from the files' headers, and time from what steps
/// took that were measured here.
package struct SearchEstimate: Sendable {
  package let searchTokens: Int
  package let heldOutTokens: Int
  package let matrices: Int
  /// Trials at most, or models that a filter search usually measures.
  package let tests: Int
  /// Bytes at most, the memory that was allowed if there is no less to do with.
  package let memory: Int
  /// Whether weights are read from disk again and again.
  package let streams: Bool
  /// Whether states of trials go to disk.
  package let spillsStates: Bool
  /// The least memory that the search can do with, and from which on nothing is read twice; nil where that is more than
  /// can be said.
  package let leastMemory: Int?
  package let comfortableMemory: Int
  /// Bytes of the run folder, of what lies in it only while the search runs, and of a checkpoint.
  package let runFolder: Int
  package let scratch: Int
  package let checkpoint: Int
  /// By part of the search; empty if nothing was measured.
  package let phases: [EstimatedPhase]

  package var seconds: Double { phases.reduce(0) { $0 + $1.seconds } }

  /// From headers alone, which costs nothing.
  package init(_ search: Search, memory: Int) throws { try self.init(search, memory: memory, sample: nil) }

  /// With a time, from a few seconds of measuring.
  ///
  /// - Parameter scratchFolder: Where gradients lie that there is no memory for.
  package static func measured(
    _ search: Search, memory: Int, scratchFolder: String, progress: (Double) throws -> Void
  ) throws -> SearchEstimate {
    let sample = try CostSample(search, memory: memory, scratchFolder: scratchFolder, progress: progress)
    return try SearchEstimate(search, memory: memory, sample: sample)
  }

  private init(_ search: Search, memory: Int, sample: CostSample?) throws {
    var work = SearchWork(search)
    if let sample { work.leaveOut(sample.idleGroups) }
    (searchTokens, heldOutTokens) = (work.searchTokens, work.heldOutTokens)
    (matrices, tests) = (search.sites.count, work.tests)
    let plan = try MemoryEstimate(search, memory: memory)
    (self.memory, streams, spillsStates) = (plan.peak, plan.streams, plan.spilledStates > 0)
    scratch = plan.spilledStates + plan.decompositions
    (leastMemory, comfortableMemory) = (plan.least, plan.comfortable)
    runFolder = work.runFolder
    checkpoint = search.model.checkpoint.byteCount
    phases = sample.map { work.phases($0, gradientLimit: plan.gradientLimit) } ?? []
  }
}
