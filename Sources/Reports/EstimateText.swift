package import Search

/// What a search will take, in words.
package struct EstimateText {
  private let estimate: SearchEstimate
  /// Bytes that may be written; nil where that is not known.
  private let free: Int?

  package init(_ estimate: SearchEstimate, free: Int?) { (self.estimate, self.free) = (estimate, free) }

  /// One line, for the beginning of a search.
  package var line: String {
    let time = estimate.phases.isEmpty ? "" : "about \(Numbers.duration(estimate.seconds)), "
    return "\(time)\(work); up to \(Numbers.bytes(estimate.memory)) of memory"
      + (estimate.streams ? ", weights read from disk again and again" : "") + ", \(disk)"
  }

  private var work: String {
    "\(matrices(estimate.matrices)), \(Numbers.grouped(estimate.searchTokens)) + "
      + "\(Numbers.grouped(estimate.heldOutTokens)) tokens"
      + (estimate.tests > 0 ? ", \(Numbers.grouped(estimate.tests)) models to measure" : "")
  }

  private var disk: String {
    "\(Numbers.bytes(estimate.runFolder)) for the run folder"
      + (estimate.scratch > 0 ? ", \(Numbers.bytes(estimate.scratch)) beside it while it runs" : "")
  }

  package var plain: String {
    var rows = [("search", work)]
    if !estimate.phases.isEmpty {
      rows.append(("time", "about \(Numbers.duration(estimate.seconds))"))
      rows += estimate.phases.map { ("", "\($0.name) \(Numbers.duration($0.seconds))") }
    }
    rows.append(("memory", "up to \(Numbers.bytes(estimate.memory))"))
    rows += memoryNotes.map { ("", $0) }
    rows.append(("disk", disk))
    rows.append(("", "\(Numbers.bytes(estimate.checkpoint)) for a lasered checkpoint"))
    let needed = estimate.runFolder + estimate.scratch + estimate.checkpoint
    if let free, free < needed {
      rows.append(("", "only \(Numbers.bytes(free)) are free here, and all of it takes \(Numbers.bytes(needed))"))
    }
    return rows.map { "  " + $0.0 + String(repeating: " ", count: 8 - $0.0.count) + $0.1 + "\n" }.joined()
  }

  private var memoryNotes: [String] {
    let comfortable = "\((estimate.comfortableMemory >> 20) + 1)M"
    var notes = [
      estimate.streams
        ? "weights do not fit and are read from disk for every pass, which is not in the time; "
          + "--memory \(comfortable) keeps them"
        : estimate.spillsStates
          ? "some states go to disk; --memory \(comfortable) keeps them"
          : "--memory \(comfortable) is as fast"
    ]
    if let least = estimate.leastMemory {
      notes.append("--memory \(least >> 20)M is the least; weights and states are then read from disk, which is slower")
    }
    return notes
  }

  /// For programs.
  package var json: some Encodable { Values(estimate) }

  private struct Values: Encodable {
    let searchTokens: Int
    let heldOutTokens: Int
    let matrices: Int
    let tests: Int
    let seconds: Double
    let phases: [Phase]
    let memory: Memory
    let disk: Disk

    struct Phase: Encodable {
      let name: String
      let seconds: Double
    }

    /// In bytes.
    struct Memory: Encodable {
      let peak: Int
      let least: Int?
      let comfortable: Int
      let streams: Bool
    }

    struct Disk: Encodable {
      let runFolder: Int
      let scratch: Int
      let checkpoint: Int

      enum CodingKeys: String, CodingKey {
        case scratch, checkpoint
        case runFolder = "run_folder"
      }
    }

    init(_ estimate: SearchEstimate) {
      (searchTokens, heldOutTokens) = (estimate.searchTokens, estimate.heldOutTokens)
      (matrices, tests, seconds) = (estimate.matrices, estimate.tests, estimate.seconds)
      phases = estimate.phases.map { Phase(name: $0.name, seconds: $0.seconds) }
      memory = Memory(
        peak: estimate.memory, least: estimate.leastMemory, comfortable: estimate.comfortableMemory,
        streams: estimate.streams)
      disk = Disk(runFolder: estimate.runFolder, scratch: estimate.scratch, checkpoint: estimate.checkpoint)
    }

    enum CodingKeys: String, CodingKey {
      case matrices, tests, seconds, phases, memory, disk
      case searchTokens = "search_tokens"
      case heldOutTokens = "held_out_tokens"
    }
  }
}
