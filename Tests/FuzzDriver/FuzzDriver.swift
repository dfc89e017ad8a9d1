import Foundation
import Fuzzing

/// `fuzz TARGET SECONDS [SEED]`: feeds one of the project's parsers with damaged files. A crash leaves the file to
/// blame in the temporary folder; a file that takes longer than ten seconds ends the run by SIGALRM, as a crash does.
/// Memory is limited by the shell (`ulimit -v`).
@main
enum FuzzDriver {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 3, let target = FuzzTarget.named(arguments[1]), let seconds = Double(arguments[2]) else {
      print("usage: fuzz \(FuzzTarget.all.map(\.name).joined(separator: "|")) SECONDS [SEED]")
      exit(64)
    }
    let seed = arguments.count > 3 ? UInt64(arguments[3]) ?? 1 : 1
    let folder = FileManager.default.temporaryDirectory.appending(path: "fuzz-\(target.name)-\(getpid())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let path = folder + "/file"
    print("\(target.name), seed \(seed); the file of the moment is \(path)")
    var fuzzer = Fuzzer(target, path: path, seed: seed)
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while clock.now < end {
      for _ in 0..<100 {
        alarm(10)
        try fuzzer.runOnce()
      }
    }
    try FileManager.default.removeItem(atPath: folder)
    print("\(fuzzer.runs) files, \(fuzzer.accepted) taken, corpus \(fuzzer.corpusCount), slowest \(fuzzer.slowest)")
  }
}
