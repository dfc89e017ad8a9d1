internal import CFiles
internal import Glibc

/// Results are written with `print`, which tells nobody when it fails. Whether all of them arrived is known when the
/// program ends, and is then said.
enum StandardOutput {
  /// Sees to it that output that does not arrive ends the program with status 1 and one line on standard error, whichever
  /// way it ends. A closed pipe ends it quietly before that (SIGPIPE).
  static func prepare() {
    // Where standard output or error is closed, the next file that is opened would take its number, and be written to.
    for (descriptor, mode) in [(STDIN_FILENO, O_RDONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY)]
    where fcntl(descriptor, F_GETFD) < 0 { _ = open("/dev/null", mode) }
    atexit { StandardOutput.finish() }
  }

  /// Writes what `print` has kept back.
  ///
  /// - Returns: What went wrong, now or before.
  static func flush() -> String? {
    let code = files_flush_standard_output()
    guard code != 0 else { return nil }
    return code < 0 ? "it could not be written to" : String(cString: strerror(code))
  }

  private static func finish() {
    guard let problem = flush() else { return }
    let line = "Error: standard output: \(problem); results are not all there\n"
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    _exit(1)
  }
}
