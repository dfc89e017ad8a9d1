import Checkpoints
import Foundation
import Glibc
import Testing

/// What a run of the built command ended with.
struct LaserRun {
  /// nil when a signal ended it.
  let status: Int32?
  let output: String
  let error: String

  /// Standard output as a JSON object and nothing else.
  var json: JSON {
    get throws { try JSON(parsing: Array(output.utf8)) }
  }
}

/// Runs the executable that was built beside the tests.
///
/// - Parameters:
///   - limit: After so long it gets a signal, SIGKILL by default: what a power cut would look like to its files.
///   - shell: What a shell does before it becomes the command: "exec >/dev/full", "ulimit -f 100".
func laser(_ arguments: [String], killedAfter limit: Duration? = nil, by signal: Int32 = SIGKILL, shell: String? = nil)
  async throws -> LaserRun
{
  // Files, not pipes: nobody has to read along.
  let output = FileManager.default.temporaryDirectory.appending(path: "laser-test-\(UUID().uuidString)")
  let error = output.appendingPathExtension("error")
  defer {
    try? FileManager.default.removeItem(at: output)
    try? FileManager.default.removeItem(at: error)
  }
  let (path, outputPath, errorPath) = (try executable().path, output.path, error.path)
  let prefix = shell.map { ["/bin/sh", "-c", $0 + "; exec \"$0\" \"$@\""] } ?? []
  let status = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Int32, any Error>) in
    // A thread of its own waits: tests share a few that must not be blocked.
    Thread.detachNewThread {
      continuation.resume(
        with: Result {
          let child = try spawn(prefix + [path] + arguments, output: outputPath, error: errorPath)
          var status: Int32 = 0
          if let limit {
            let end = ContinuousClock.now + limit
            while ContinuousClock.now < end {
              if waitpid(child, &status, WNOHANG) == child { return status }
              usleep(500)
            }
            kill(child, signal)
          }
          while waitpid(child, &status, 0) < 0 {
            guard errno == EINTR else { throw CocoaError(.executableLoad) }
          }
          return status
        })
    }
  }
  // As WIFEXITED and WEXITSTATUS, which are macros.
  return LaserRun(
    status: status & 0x7F == 0 ? status >> 8 & 0xFF : nil, output: try String(contentsOf: output, encoding: .utf8),
    error: try String(contentsOf: error, encoding: .utf8))
}

/// Starts a program with files for its output; returns its number.
private func spawn(_ arguments: [String], output: String, error: String) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  // Threads of the tests let no signals through, which a child would inherit.
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var none = sigset_t()
  sigemptyset(&none)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
  let strings = arguments.map { strdup($0) }
  defer { for string in strings { free(string) } }
  var child: pid_t = 0
  let code = posix_spawn(&child, arguments[0], &actions, &attributes, strings + [nil], environ)
  guard code == 0 else { throw CocoaError(.executableLoad) }
  return child
}

/// Runs the command and expects it to succeed.
@discardableResult
func laserSucceeds(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws -> LaserRun {
  let run = try await laser(arguments)
  try #require(run.status == 0, "\(arguments.joined(separator: " "))\n\(run.error)", sourceLocation: sourceLocation)
  return run
}

/// Runs the command and expects exit status 1, nothing on standard output (with --json, an object that says the same) and
/// one line that begins with "Error:".
func expectFailure(
  _ arguments: [String], naming words: [String], shell: String? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) async throws {
  let run = try await laser(arguments, shell: shell)
  let comment = Comment(rawValue: "\(arguments.joined(separator: " "))\n\(run.error)")
  #expect(run.status == 1, comment, sourceLocation: sourceLocation)
  if arguments.contains("--json"), shell == nil {
    let told = try run.json["error"]?.string
    #expect(told.map { run.error == "Error: \($0)\n" } == true, comment, sourceLocation: sourceLocation)
  } else {
    #expect(run.output.isEmpty, comment, sourceLocation: sourceLocation)
  }
  #expect(run.error.hasPrefix("Error: "), comment, sourceLocation: sourceLocation)
  #expect(
    run.error.hasSuffix("\n") && run.error.count(where: \.isNewline) == 1, comment, sourceLocation: sourceLocation)
  for word in words { #expect(run.error.contains(word), comment, sourceLocation: sourceLocation) }
}

/// SwiftPM links the tests and the product into one folder. LASER_PROGRAM names another build of it to test.
func executable() throws -> URL {
  if let path = ProcessInfo.processInfo.environment["LASER_PROGRAM"] { return URL(filePath: path) }
  let tests = URL(filePath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
  let laser = tests.deletingLastPathComponent().appending(path: "laser")
  try #require(FileManager.default.isExecutableFile(atPath: laser.path), "no laser in \(laser.path)")
  return laser
}

/// What a terminal of so many columns got from the command, standard output and standard error together.
func laserOnTerminal(_ arguments: [String], columns: UInt16) async throws -> (status: Int32, text: String) {
  let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
  try #require(terminal >= 0)
  defer { close(terminal) }
  // As unlockpt and ptsname do it, which Swift does not see: TIOCSPTLCK and TIOCGPTN.
  var (lock, number): (Int32, Int32) = (0, 0)
  try #require(ioctl(terminal, 0x4004_5431, &lock) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
  var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
  try #require(ioctl(terminal, UInt(TIOCSWINSZ), &size) == 0)
  let path = "/dev/pts/\(number)"
  // Held open here, so that reading ends when this says so and not before the command has opened it.
  let other = open(path, O_RDWR | O_NOCTTY)
  let executable = try executable().path
  return try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread {
      continuation.resume(
        with: Result {
          let child = try spawn(
            ["/usr/bin/env", "TERM=xterm", executable] + arguments, output: path, error: path)
          _ = fcntl(terminal, F_SETFL, O_NONBLOCK)
          var (bytes, status): ([UInt8], Int32) = ([], 0)
          var hasEnded = false
          while true {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(terminal, &buffer, buffer.count)
            if count > 0 {
              bytes += buffer.prefix(count)
            } else if hasEnded {
              break
            } else {
              hasEnded = waitpid(child, &status, WNOHANG) == child
              usleep(500)
            }
          }
          close(other)
          return (status & 0x7F == 0 ? status >> 8 & 0xFF : -1, String(decoding: bytes, as: UTF8.self))
        })
    }
  }
}
