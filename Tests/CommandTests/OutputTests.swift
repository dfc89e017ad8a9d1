import CheckpointFixtures
import Foundation
import Glibc
import Testing

/// What is written is written where it was asked for, whole, by one process, and nothing else is touched.
struct OutputTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }
  private let plan: String

  init() throws {
    workshop = try Workshop()
    plan = try workshop.writePlan("plan.yaml", entries: [Workshop.entry(rank: 4)])
  }

  private func convert(_ out: String) -> [String] { ["convert", workshop.model, "--force", "--out", folder.path(out)] }

  private func apply(_ out: String) -> [String] {
    ["apply", workshop.model, "--plan", plan, "--force", "--out", folder.path(out)]
  }

  private func names(_ name: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path(name)).sorted()
  }

  // MARK: Two writers

  @Test func twoWritersOfOneOutputDoNotMix() async throws {
    try await laserSucceeds(convert("whole.gguf"))
    try await laserSucceeds(apply("whole"))
    let before = try names()
    for (arguments, out, whole) in [(convert("a.gguf"), "a.gguf", "whole.gguf"), (apply("a"), "a", "whole")] {
      for _ in 0..<8 {
        async let first = laser(arguments)
        async let second = laser(arguments)
        let runs = try await [first, second]
        #expect(runs.contains { $0.status == 0 })
        for run in runs where run.status != 0 {
          #expect(run.status == 1 && run.error.contains("another laser is writing it"), "\(run.error)")
        }
        #expect(FileManager.default.contentsEqual(atPath: folder.path(out), andPath: folder.path(whole)))
      }
    }
    #expect(try Set(names()).subtracting(before) == ["a", "a.gguf"])
  }

  /// Whoever comes second is told so before any work.
  @Test func anOutputThatIsBeingWrittenIsLeftAlone() async throws {
    for (arguments, out) in [(convert("a.gguf"), "a.gguf"), (apply("a"), "a")] {
      let descriptor = open(folder.path(".\(out).lock"), O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
      #expect(flock(descriptor, LOCK_EX) == 0)
      try await expectFailure(arguments, naming: [folder.path(out), "another laser is writing it"])
      close(descriptor)
      // The file is left from a process that was killed, as far as the next one knows.
      try await laserSucceeds(arguments)
      #expect(try !names().contains(".\(out).lock"))
    }
  }

  @Test func remainsOfKilledProcessesAreCleared() async throws {
    try Data("half".utf8).write(to: folder[".a.gguf.0123456789abcdef.partial"])
    try Data("mine".utf8).write(to: folder[".a.gguf.mine.partial"])
    try await laserSucceeds(convert("a.gguf"))
    #expect(try names().filter { $0.hasSuffix(".partial") } == [".a.gguf.mine.partial"])
  }

  /// A folder that its owner has removed does not come back, and what an earlier death left is in nobody's way.
  @Test func aRemovedCheckpointDoesNotComeBack() async throws {
    try workshop.addModel(Workshop.tinyModel(seed: 5), named: ".a.replaced")
    try await laserSucceeds(["apply", workshop.model, "--plan", plan, "--out", folder.path("a")])
    try await laserSucceeds(apply("whole"))
    #expect(FileManager.default.contentsEqual(atPath: folder.path("a"), andPath: folder.path("whole")))
  }

  // MARK: Links

  @Test func linksAreNotFollowed() async throws {
    let precious = folder["precious"]
    try Data("precious".utf8).write(to: precious)
    func link(_ name: String) throws {
      try FileManager.default.createDirectory(
        at: folder[name].deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(at: folder[name], withDestinationURL: precious)
    }
    let spectrum = ["spectrum", workshop.model, "--roles", "w1", "--force", "--svg", folder.path("a.svg")]
    let others = [
      (convert("a.gguf"), "a.gguf"), (convert("b.gguf"), ".b.gguf.lock"), (apply("c"), "c"), (spectrum, "a.svg"),
      (workshop.search(out: "run"), "run/journal.jsonl"), (workshop.search(out: "run2"), "run2/spectra.jsonl"),
    ]
    for (arguments, name) in others {
      try link(name)
      try await expectFailure(arguments, naming: [folder.path(name), "a link is there"])
    }
    // A name that is taken over is the link's, not the file's.
    try await laserSucceeds(workshop.search(out: "done"))
    try FileManager.default.removeItem(at: folder["done/report.html"])
    try link("done/report.html")
    try await laserSucceeds(["report", folder.path("done")])
    #expect(try String(contentsOf: folder["done/report.html"], encoding: .utf8).hasPrefix("<!"))
    #expect(try String(contentsOf: precious, encoding: .utf8) == "precious")
  }

  // MARK: Other people's files

  @Test(arguments: ["notes", "{\"inputs\": {}}", "[1, 2]", "{\"a\": 1", "\u{0}"])
  func aForeignJournalStaysAsItIs(text: String) async throws {
    for (name, line) in [("journal", ""), ("spectra", ""), ("journal", "\n")] {
      let run = "\(name)\(line.count)"
      try FileManager.default.createDirectory(at: folder[run], withIntermediateDirectories: true)
      try Data((text + line).utf8).write(to: folder["\(run)/\(name).jsonl"])
      try await expectFailure(workshop.search(out: run), naming: [folder.path(run), "\(name).jsonl"])
      #expect(try String(contentsOf: folder["\(run)/\(name).jsonl"], encoding: .utf8) == text + line)
    }
  }

  @Test func aForeignPlanOrReportStaysAsItIs() async throws {
    for name in ["plan.yaml", "report.md"] {
      try FileManager.default.createDirectory(at: folder["run"], withIntermediateDirectories: true)
      try Data("mine".utf8).write(to: folder["run/\(name)"])
      try await expectFailure(workshop.search(out: "run"), naming: [folder.path("run"), name])
      #expect(try names("run") == [name])
      try FileManager.default.removeItem(at: folder["run"])
    }
  }

  @Test func nothingIsWrittenOntoOrIntoAnInput() async throws {
    let before = try contents(of: folder.url)
    let spectrum = ["spectrum", workshop.model, "--roles", "w1", "--svg"]
    try await expectFailure(spectrum + [workshop.model + "/model.safetensors"], naming: [".svg"])
    try await expectFailure(spectrum + [workshop.model + "/x.svg"], naming: ["model/x.svg", "original"])
    try await expectFailure(convert("model/x.gguf"), naming: ["model/x.gguf", "original"])
    try await expectFailure(
      apply("model/x.gguf") + ["--to", "gguf"], naming: ["model/x.gguf", "original"])
    for out in ["model", "model/run"] {
      try await expectFailure(workshop.search(out: out), naming: [folder.path(out), "original"])
    }
    #expect(try contents(of: folder.url) == before)
    // A text that lies where the report would.
    try FileManager.default.createDirectory(at: folder["run"], withIntermediateDirectories: true)
    try FileManager.default.moveItem(at: URL(filePath: workshop.searchTexts[0]), to: folder["run/report.md"])
    try await expectFailure(
      workshop.search(out: "run", text: [folder.path("run/report.md")]), naming: ["run/report.md", "original"])
  }

  @Test func anExistingDrawingIsReplacedOnlyByForce() async throws {
    try Data("mine".utf8).write(to: folder["a.svg"])
    let arguments = ["spectrum", workshop.model, "--roles", "w1", "--svg", folder.path("a.svg")]
    try await expectFailure(arguments, naming: ["a.svg", "--force"])
    #expect(try String(contentsOf: folder["a.svg"], encoding: .utf8) == "mine")
    try await laserSucceeds(arguments + ["--force"])
    #expect(try String(contentsOf: folder["a.svg"], encoding: .utf8).hasPrefix("<svg"))
  }

  @Test func outputsOfPrivateFilesArePrivate() async throws {
    #expect(chmod(folder.path("model/model.safetensors"), 0o600) == 0)
    try await laserSucceeds(convert("a.gguf"))
    try await laserSucceeds(apply("a"))
    try await laserSucceeds(workshop.search(out: "run"))
    for name in ["a.gguf", "a/model.safetensors", "a/README.md", "run/journal.jsonl", "run/plan.yaml"] {
      var status = stat()
      #expect(stat(folder.path(name), &status) == 0 && status.st_mode & 0o077 == 0, "\(name)")
    }
  }

  // MARK: Output that does not arrive

  @Test(arguments: ["exec >/dev/full", "exec >&-"]) func lostResultsAreAnError(shell: String) async throws {
    try await laserSucceeds(workshop.search(out: "run"))
    let text = workshop.searchTexts[0]
    let commands = [
      ["--help"], ["--version"], ["inspect", workshop.model], ["spectrum", workshop.model, "--roles", "w1"],
      ["tokenize", workshop.model, "--text", text], ["report", folder.path("run")], convert("a.gguf"), apply("a"),
      workshop.perplexity("model", [text]), ["compare", workshop.model, workshop.model, "--text", text],
      ["generate", workshop.model, "--prompt", "a", "--tokens", "2"],
      workshop.search(out: "other", more: ["--quiet"]),
      [
        "synthesize", "--out", folder.path("s"), "--layers", "1", "--hidden", "8", "--intermediate", "8", "--heads",
        "2",
        "--kv-heads", "1", "--vocabulary", "8",
      ],
    ]
    for arguments in commands {
      try await expectFailure(arguments, naming: ["standard output"], shell: shell)
    }
  }

  @Test func aClosedPipeEndsQuietly() async throws {
    let run = try await laser(["inspect", workshop.model, "--sites"], shell: "exec >/dev/null; trap '' USR1")
    #expect(run.status == 0)
    let shell = "(\"$0\" \"$@\"; echo $? >&2) | true; exit"
    let piped = try await laser(["inspect", workshop.model, "--sites"], shell: shell)
    #expect(["141\n", "0\n"].contains(piped.error), "\(piped.error)")
  }

  @Test func aFileThatMayNotGrowIsAnError() async throws {
    try await expectFailure(convert("a.gguf"), naming: ["a.gguf", "File too large"], shell: "ulimit -f 8")
    try await expectFailure(apply("a"), naming: ["a.", "File too large"], shell: "ulimit -f 8")
    #expect(try !names().contains { $0.contains("a.gguf") || $0.hasPrefix(".a") })
  }
}
