internal import CKernels
internal import Glibc
internal import Synchronization

/// Where the processors' time goes: seconds of all threads and operations of products, by stage. Nothing is measured
/// until it is started.
package enum Profile {
  package enum Stage: String, Sendable, CaseIterable {
    /// Decoding weights and laying them out for products.
    case packing
    case attentionProjections = "attention projections"
    case attention
    case router
    case experts
    case vocabulary
    /// All that is in no other stage, reading files and scattering among it.
    case other
  }

  package struct Line: Sendable {
    package let stage: Stage
    /// Seconds of processor time, all threads together.
    package let seconds: Double
    /// Multiplications and additions in products.
    package let operations: Double
  }

  private struct Totals {
    var seconds = 0.0
    var operations = 0.0
  }

  private static let isOn = Atomic<Bool>(false)
  private static let totals = Mutex<[Stage: Totals]>([:])
  private static let startSeconds = Mutex<Double>(0)

  /// Begins to measure, from nothing.
  package static func start() {
    totals.withLock { $0 = [:] }
    startSeconds.withLock { $0 = seconds(CLOCK_PROCESS_CPUTIME_ID) }
    isOn.store(true, ordering: .relaxed)
  }

  /// Ends measuring; a line for each stage that took any time.
  package static func finish() -> [Line] {
    let whole = startSeconds.withLock { seconds(CLOCK_PROCESS_CPUTIME_ID) - $0 }
    isOn.store(false, ordering: .relaxed)
    var result = totals.withLock { $0 }
    result[.other] = Totals(seconds: max(0, whole - result.values.reduce(0) { $0 + $1.seconds }))
    return Stage.allCases.compactMap { stage in
      result[stage].map { Line(stage: stage, seconds: $0.seconds, operations: $0.operations) }
    }
  }

  /// Counts the time and the products of the body, which must stay on one thread, to a stage. Not to be nested.
  package static func measure<Result>(_ stage: Stage, _ body: () throws -> Result) rethrows -> Result {
    guard isOn.load(ordering: .relaxed) else { return try body() }
    let before = (seconds: seconds(CLOCK_THREAD_CPUTIME_ID), operations: laser_operations())
    defer {
      let spent = seconds(CLOCK_THREAD_CPUTIME_ID) - before.seconds
      let done = laser_operations() - before.operations
      totals.withLock {
        $0[stage, default: Totals()].seconds += spent
        $0[stage, default: Totals()].operations += done
      }
    }
    return try body()
  }

  static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
