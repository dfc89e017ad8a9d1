import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// Commands that mpirun starts several times. Without LASER_MPI_PROGRAM, a laser built with MPI (`runs/test.sh` names one),
/// only what one without MPI says is tested.
struct ProcessTests {
  private static let program = ProcessInfo.processInfo.environment["LASER_MPI_PROGRAM"].map {
    URL(filePath: $0).resolvingSymlinksInPath().path
  }
  /// The laser beside the tests may be that one.
  private static let laserPath = try? executable().resolvingSymlinksInPath().path
  private static let hasLauncher = FileManager.default.isExecutableFile(atPath: "/usr/bin/mpirun")

  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws { workshop = try Workshop() }

  /// The command by so many processes, more than there are processors if need be.
  private func together(
    _ count: Int, _ arguments: [String], program: String? = Self.program, killedAfter limit: Duration? = nil
  ) async throws -> LaserRun {
    let launcher = "exec mpirun --allow-run-as-root --oversubscribe --quiet -n \(count) \(program ?? "\"$0\"") \"$@\""
    return try await laser(arguments, killedAfter: limit, by: SIGTERM, shell: launcher)
  }

  @Test(.enabled(if: hasLauncher && program != laserPath)) func withoutMPISeveralProcessesAreRefused() async throws {
    let run = try await together(2, workshop.search(out: "run"), program: nil)
    #expect(run.status != 0 && run.output.isEmpty)
    #expect(run.error.contains("2 processes were started, but this laser was built without MPI"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
    // One is as good as any.
    #expect(try await together(1, ["--version"], program: nil).status == 0)
  }

  @Test(.enabled(if: program != nil), arguments: ["sweep", "filters"])
  func severalProcessesFindWhatOneFinds(strategy: String) async throws {
    func search(_ out: String) -> [String] {
      strategy == "sweep"
        ? workshop.search(out: out)
        : ["search", Posy.model, "--text"] + workshop.searchTexts + ["--held-out"] + workshop.heldOutTexts
          + ["--out", folder.path(out), "--context", "32", "--layers", "5"]
    }
    let alone = try await laserSucceeds(search("alone"))
    let expected = try RunFiles(folder["alone"])
    for count in [1, 2, 3] {
      let run = try await together(count, search("run\(count)"))
      #expect(run.status == 0, "\(run.error)")
      #expect(try RunFiles(folder["run\(count)"]) == expected)
      // Its launcher gives the command a terminal of 80 columns; the last words say where it is and how long it took.
      func words(_ run: LaserRun) -> ArraySlice<Substring> {
        run.output.split(whereSeparator: \.isWhitespace).prefix(60)
      }
      #expect(words(run) == words(alone))
    }
  }

  @Test(.enabled(if: program != nil)) func aRecipeWritesTheSameCheckpoint() async throws {
    func recipe(_ name: String) throws -> [String] {
      let texts = workshop.searchTexts.joined(separator: ", ")
      let yaml = """
        model: model
        text: [\(texts)]
        held_out: [\(workshop.heldOutTexts.joined(separator: ", "))]
        context: 32
        strategy: sweep
        ranks: [8, 4]
        confidence: 0.5
        fdr: 1
        out: \(name)
        checkpoint: \(name)-lasered
        """
      try Data(yaml.utf8).write(to: folder["\(name).yaml"])
      return ["run", folder.path("\(name).yaml")]
    }
    try await laserSucceeds(recipe("alone"))
    let run = try await together(3, recipe("several"))
    #expect(run.status == 0, "\(run.error)")
    let weights = try ["alone", "several"].map { try Data(contentsOf: folder["\($0)-lasered/model.safetensors"]) }
    #expect(weights[0] == weights[1])
  }

  @Test(.enabled(if: program != nil)) func measuringIsTheSame() async throws {
    for arguments in [
      ["perplexity", workshop.model, "--json", "--context", "32", "--text"] + workshop.searchTexts,
      ["compare", Posy.model, Posy.base, "--json", "--context", "32", "--text"] + workshop.searchTexts,
    ] {
      func figures(_ run: LaserRun) -> [String] {
        run.output.split(separator: "\n").map(String.init).filter { !$0.contains("second") }
      }
      let run = try await together(3, arguments)
      #expect(run.status == 0, "\(run.error)")
      let alone = try await laserSucceeds(arguments)
      #expect(figures(run) == figures(alone))
    }
  }

  @Test(.enabled(if: program != nil)) func anErrorIsSaidOnce() async throws {
    let bad = try await together(3, ["perplexity", folder.path("nowhere"), "--text", workshop.searchTexts[0]])
    #expect(bad.status == 1 && bad.output.isEmpty)
    #expect(bad.error.components(separatedBy: "Error: ").count == 2 && bad.error.contains("nowhere"))
    let other = try await together(2, ["inspect", workshop.model])
    #expect(other.status != 0 && other.error.contains("'inspect' is for one process"))
  }

  /// Another number of processes goes on with what an interrupted search has in its journal.
  @Test(.enabled(if: program != nil)) func anInterruptedSearchIsContinuedByOthers() async throws {
    let search = { (out: String) in workshop.search(out: out, ranks: "14,12,10,8,6,4,2") }
    try await laserSucceeds(search("alone"))
    for (count, time) in [(2, 1500), (3, 2500)] {
      _ = try await together(count, search("run"), killedAfter: .milliseconds(time))
    }
    let run = try await together(2, search("run"))
    #expect(run.status == 0, "\(run.error)")
    #expect(try RunFiles(folder["run"]) == RunFiles(folder["alone"]))
  }
}
