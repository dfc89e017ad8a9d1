import CheckpointFixtures
import Fuzzing
import Testing

/// A short run of every fuzz target; `fuzz TARGET SECONDS` makes long ones.
struct FuzzTests {
  @Test(arguments: FuzzTarget.all.map(\.name)) func damagedFilesAreTakenOrRefused(_ name: String) throws {
    let folder = try TemporaryFolder()
    var fuzzer = Fuzzer(try #require(FuzzTarget.named(name)), path: folder.path("file"), seed: 3)
    for _ in 0..<3000 { try fuzzer.runOnce() }
    #expect(fuzzer.accepted > 0 && fuzzer.accepted < fuzzer.runs)
    #expect(fuzzer.slowest < .seconds(5))
  }
}
