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
    var begin = Console.clock.now
    /// From when on, and from which share on, the time left is extrapolated.
    var start = Console.clock.now
    var startShare = 0.0
    var lastShown: ContinuousClock.Instant?
    var isLineOpen = false
  }

  init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    let terminal = getenv("TERM").map { String(cString: $0) } ?? "dumb"
    isTerminal = isatty(STDERR_FILENO) == 1 && terminal != "dumb"
  }

  /// A line of its own.
  func note(_ text: String) {
    guard !isQuiet else { return }
    state.withLock { state in
      closeLine(&state)
      write(TerminalText.wrapped(text, columns: TerminalText.columns(STDERR_FILENO)) + "\n")
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
  ///
  /// - Parameters:
  ///   - left: Seconds that are left, where that is known better than from the share and the time.
  ///   - isNew: Whether this share was worked for now, and not read: reading says nothing of the time that is left.
  func progress(_ task: String, _ share: Double, left: Double? = nil, isNew: Bool = true, detail: String = "") {
    guard !isQuiet else { return }
    state.withLock { state in
      let now = Self.clock.now
      if state.task != task {
        closeLine(&state)
        state.task = task
        state.begin = now
        (state.start, state.startShare) = (now, share)
        state.lastShown = isTerminal ? nil : now  // elsewhere, a short task stays silent
      }
      if !isNew { (state.start, state.startShare) = (now, share) }
      let interval = isTerminal ? .milliseconds(100) : max(.seconds(10), min(.seconds(300), (now - state.begin) / 20))
      let isDone = share >= 1
      if let last = state.lastShown, now - last < interval, !(isDone && isTerminal) { return }
      state.lastShown = now
      let (elapsed, gained) = ((now - state.start) / .seconds(1), share - state.startShare)
      let left = left ?? (gained > 0.02 ? elapsed / gained * (1 - share) : nil)
      let leftText = left.map { isDone ? "" : ", \(Self.about($0)) left" } ?? ""
      let text = "\(task) \(Int(share * 100)) %\(leftText)\(detail.isEmpty ? "" : " · \(detail)")"
      if isTerminal {
        write("\r\u{1B}[K" + line(share, text))
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

  /// One line that leaves the last column free, so that no terminal begins another. The bar gives way to words.
  private func line(_ share: Double, _ text: String) -> String {
    let columns = (TerminalText.columns(STDERR_FILENO) ?? Table.terminalColumns) - 1
    let room = min(20, columns - terminalWidth(text) - 1)
    return TerminalText.cut(room >= 8 ? "\(bar(share, width: room)) \(text)" : text, columns: columns)
  }

  /// A time as people say it that is not known to the second.
  private static func about(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "long" }
    if seconds < 90 { return "\(Int(seconds.rounded(.up))) s" }
    let minutes = Int((seconds / 60).rounded())
    return minutes < 90 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
  }

  private func bar(_ share: Double, width: Int) -> String {
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
