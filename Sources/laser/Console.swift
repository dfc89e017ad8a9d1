internal import Checkpoints
internal import Glibc
internal import Models
internal import Reports
internal import Synchronization

/// The channel for progress and notes: standard error. On a terminal the progress is one line that is rewritten,
/// elsewhere a plain line now and then.
final class Console: Sendable {
  let isQuiet: Bool
  private let isTerminal: Bool
  private let state = Mutex(State())
  private static let clock = ContinuousClock()

  private struct State {
    var task = ""
    var start = Console.clock.now
    var lastShown: ContinuousClock.Instant?
    var isLineOpen = false
  }

  init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    isTerminal = isatty(STDERR_FILENO) == 1
  }

  /// A line of its own.
  func note(_ text: String) {
    guard !isQuiet else { return }
    state.withLock { state in
      closeLine(&state)
      write(text + "\n")
    }
  }

  /// What a person should know of how models were read.
  ///
  /// - Parameter context: Tokens of a window that they are to see.
  func note(_ models: [Model], context: Int? = nil) {
    for note in models.flatMap(\.notes) { self.note("note: " + note) }
    for model in models {
      guard let context, let positions = model.checkpoint.configuration["max_position_embeddings"]?.integer,
        context > positions
      else { continue }
      note(
        "note: \(model.checkpoint.path) was made for \(positions) positions; in a context of \(context) it is worse than it is"
      )
    }
  }

  /// The share of a task that is done, from 0 to 1. A task ends at 1.
  func progress(_ task: String, _ share: Double, detail: String = "") {
    guard !isQuiet else { return }
    state.withLock { state in
      let now = Self.clock.now
      if state.task != task {
        closeLine(&state)
        state.task = task
        state.start = now
        state.lastShown = isTerminal ? nil : now  // elsewhere, a short task stays silent
      }
      let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(10)
      let isDone = share >= 1
      if let last = state.lastShown, now - last < interval, !(isDone && isTerminal) { return }
      state.lastShown = now
      let elapsed = (now - state.start) / .seconds(1)
      let left = share > 0.02 && !isDone ? ", \(Numbers.duration(elapsed / share * (1 - share))) left" : ""
      let text = "\(task) \(Int(share * 100)) %\(left)\(detail.isEmpty ? "" : " · \(detail)")"
      if isTerminal {
        write("\r\u{1B}[K\(bar(share)) \(text)")
        state.isLineOpen = true
        if isDone { closeLine(&state) }
      } else {
        write(text + "\n")
      }
      if isDone { state.task = "" }
    }
  }

  /// Takes the progress line away, before an error is printed.
  func endLine() { state.withLock { closeLine(&$0) } }

  private func bar(_ share: Double) -> String {
    let width = 20
    let filled = Int((min(max(share, 0), 1) * Double(width)).rounded())
    return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
  }

  /// A finished bar leaves no trace.
  private func closeLine(_ state: inout State) {
    guard state.isLineOpen else { return }
    write("\r\u{1B}[K")
    state.isLineOpen = false
  }

  private func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}
