internal import Checkpoints
internal import Glibc
internal import Synchronization

/// Ctrl-C and SIGTERM while a search runs: the first ends it after the step in hand, or after a second if that takes
/// longer, the second at once. Nothing is lost either way: what the journal has is on disk, and outputs are whole or not there.
enum Interruption {
  /// The search was asked to stop.
  struct Requested: Error, CustomStringConvertible {
    let description = "interrupted; run the same command again to continue"
  }

  private static let isRequested = Atomic<Bool>(false)

  /// Seconds for the step in hand.
  private static let patience: UInt32 = 1

  /// - Parameter isAtOnce: Whether the first signal ends the search at once: that of a process on which others wait, or whose
  ///   others are gone.
  static func watch(isAtOnce: Bool = false) {
    guard !isAtOnce else {
      for number in [SIGINT, SIGTERM] { signal(number, giveUp) }
      return
    }
    signal(SIGALRM, giveUp)
    signal(SIGINT, request)
    signal(SIGTERM, request)
  }

  private static let request: @convention(c) (Int32) -> Void = { number in
    isRequested.store(true, ordering: .relaxed)
    signal(number, SIG_DFL)
    alarm(patience)
  }

  /// Says what `Requested` says, by system calls alone: other threads are at work.
  private static let giveUp: @convention(c) (Int32) -> Void = { _ in
    let clear: StaticString = "\r\u{1B}[K"
    let line: StaticString = "Error: interrupted; run the same command again to continue\n"
    if isatty(STDERR_FILENO) == 1 { write(STDERR_FILENO, clear.utf8Start, clear.utf8CodeUnitCount) }
    write(STDERR_FILENO, line.utf8Start, line.utf8CodeUnitCount)
    FolderLock.removeAtOnce()
    _exit(1)
  }

  static func check() throws(Requested) {
    if isRequested.load(ordering: .relaxed) { throw Requested() }
  }
}
