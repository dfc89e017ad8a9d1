internal import ArgumentParser
internal import Checkpoints
internal import Search

/// Whether the exit status says what a search found.
struct ExitCodeOption: ParsableArguments {
  @Flag(help: "End with status 3 where no gain holds on held-out text; so does a control.")
  var exitCode = false

  /// To be called when all is printed.
  func end(_ outcomes: [SearchOutcome]) throws {
    guard exitCode, !outcomes.allSatisfy(\.isSuccess) else { return }
    // A failure counts for more.
    try InputChanges.refuse()
    throw ExitCode(3)
  }
}
