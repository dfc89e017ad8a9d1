import CheckpointFixtures
import Foundation
import Glibc
import Synchronization
import Testing

/// A model that somebody writes to while a search reads it: no plan may come out of it.
struct ChangingInputTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }

  init() throws { workshop = try Workshop() }

  enum Change: CaseIterable {
    case cutOff, overwritten, replaced

    struct Failed: Error {}

    func apply(to file: URL) throws {
      switch self {
      case .cutOff: if truncate(file.path, 16) != 0 { throw Failed() }
      case .overwritten:
        let handle = try FileHandle(forWritingTo: file)
        try handle.seek(toOffset: 40_000)
        try handle.write(contentsOf: Data(repeating: 0x3C, count: 64))
        try handle.close()
      case .replaced:
        let bytes = try Data(contentsOf: file)
        try bytes.write(to: file.appendingPathExtension("new"))
        if rename(file.path + ".new", file.path) != 0 { throw Failed() }
      }
    }
  }

  @Test(arguments: Change.allCases) func makesNoPlan(_ change: Change) async throws {
    let ranks = (1...15).reversed().map(String.init).joined(separator: ",")
    let journal = folder["run/journal.jsonl"]
    async let searching = laser(workshop.search(out: "run", ranks: ranks, more: ["--exhaustive", "--quiet"]))
    // On a thread of its own: other tests may keep those that tasks run on busy until the search is over.
    let model = folder["model/model.safetensors"]
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      Thread.detachNewThread {
        while (try? Data(contentsOf: journal))?.count(where: { $0 == UInt8(ascii: "\n") }) ?? 0 < 3 { usleep(1000) }
        continuation.resume(with: Result { try change.apply(to: model) })
      }
    }
    let run = try await searching
    #expect(run.status == 1, "\(run.error)")
    #expect(run.error.hasPrefix("Error: ") && run.error.contains("model.safetensors"), "\(run.error)")
    let words = change == .cutOff ? ["was cut off", "was changed"] : ["was changed"]
    #expect(words.contains { run.error.contains($0) }, "\(run.error)")
    #expect(try !String(contentsOf: journal, encoding: .utf8).contains(#""record":"result""#))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run/plan.yaml")))
  }

  /// A command without outputs says so too: here a file is written to all the time.
  @Test func isToldByMeasurements() async throws {
    let model = folder["model/model.safetensors"]
    let writing = Writing()
    Thread.detachNewThread {
      while !writing.isOver.load(ordering: .relaxed) {
        utimes(model.path, nil)
        usleep(1000)
      }
    }
    defer { writing.isOver.store(true, ordering: .relaxed) }
    let run = try await laser(workshop.perplexity("model", workshop.searchTexts))
    #expect(run.status == 1 && run.error.contains("was changed"), "\(run.error)")
  }

  private final class Writing: Sendable {
    let isOver = Atomic<Bool>(false)
  }
}
