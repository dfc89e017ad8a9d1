internal import Glibc
internal import Synchronization

/// Ctrl-C and SIGTERM while a search runs: the first ends it after the trial in hand, the second at once.
enum Interruption {
  /// The search was asked to stop.
  struct Requested: Error, CustomStringConvertible {
    let description = "interrupted; run the same command again to continue"
  }

  private static let isRequested = Atomic<Bool>(false)

  static func watch() {
    signal(SIGINT, request)
    signal(SIGTERM, request)
  }

  private static let request: @convention(c) (Int32) -> Void = { number in
    isRequested.store(true, ordering: .relaxed)
    signal(number, SIG_DFL)
  }

  static func check() throws(Requested) {
    if isRequested.load(ordering: .relaxed) { throw Requested() }
  }
}
