package import Evaluation
internal import Wording

/// One line of a journal. All that a report says can be read from these.
package enum SearchRecord: Sendable {
  case header(Header)
  case original(Original)
  case trial(Trial)
  case rung(Rung)
  case result(Result)

  /// The first line: what was asked for, of which files, and by which program.
  package struct Header: Sendable {
    /// Of the journal's format.
    package var version = Self.currentVersion
    package var program: String
    package var settings: SearchSettings
    package var inputs: SearchInputs
    /// When the search began, as ISO 8601 in UTC, and on what; nil in journals of versions that did not say.
    package var started: String?
    package var machine: String?

    package static let currentVersion = 3

    package init(program: String, settings: SearchSettings, inputs: SearchInputs) {
      (self.program, self.settings, self.inputs) = (program, settings, inputs)
    }
  }

  /// The original model on the search text, by window.
  package struct Original: Sendable, Codable {
    package var windows: [WindowScore]
  }

  /// The last line: the original and the lasered model on both texts, by window, evaluated as `laser perplexity` does.
  package struct Result: Sendable, Codable {
    package var searchBaseline: [WindowScore]
    package var search: [WindowScore]
    package var heldOutBaseline: [WindowScore]
    package var heldOut: [WindowScore]
    /// The base itself, where there is one that reads the text as the model does.
    package var heldOutBase: [WindowScore]?
    /// The original and the lasered model on the text that may not get worse, if there is one.
    package var guardBaseline: [WindowScore]?
    package var guarded: [WindowScore]?
    /// Held-out questions that were healed or broken, the first of each file; nil for a search without questions.
    package var changes: [QuestionChange]?
    /// Where the original model's router sends the tokens of each held-out text; nil for a dense model.
    package var routing: [RoutingStatistics]?
    /// What needs no search of its own, measured on the held-out text.
    package var alternatives: [Alternative]?
    /// Fingerprints of the reduced matrices, in the order of the plan.
    package var matrices: [String]?
    package var spentBudget: Bool
    package var seconds: Double
  }
}

extension SearchRecord.Result {
  /// A simpler change of the same matrices.
  package struct Alternative: Sendable, Codable {
    package var name: String
    /// By window.
    package var heldOut: [WindowScore]
  }
}

/// The files that a search reads, by what is in them.
package struct SearchInputs: Sendable, Equatable, Codable {
  package var model: File
  /// Fingerprint of the file that made tokens of the texts.
  package var tokenizer: String
  package var base: File?
  package var text: [Text]
  package var heldOut: [Text]
  /// Nil where nothing is guarded.
  package var guarded: [Text]?

  package struct File: Sendable, Equatable, Codable {
    package var path: String
    package var fingerprint: String
    /// Of the weights; nil in journals of versions that did not say.
    package var bytes: Int?
  }

  package struct Text: Sendable, Equatable, Codable {
    package var path: String
    package var fingerprint: String
    package var windows: Int
    /// Of the file; nil in journals of versions that did not say.
    package var bytes: Int?
  }

  private enum CodingKeys: String, CodingKey {
    case model, tokenizer, base, text, guarded
    case heldOut = "held_out"
  }
}

extension SearchRecord.Header: Codable {
  private enum CodingKeys: String, CodingKey { case version, program, settings, inputs, started, machine }

  /// Of another version only that and the program are read: see `changes`.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    version = try container.decode(Int.self, forKey: .version)
    program = try container.decode(String.self, forKey: .program)
    guard version == Self.currentVersion else {
      settings = SearchSettings()
      let none = SearchInputs.File(path: "", fingerprint: "")
      inputs = SearchInputs(model: none, tokenizer: "", base: nil, text: [], heldOut: [])
      return
    }
    settings = try container.decode(SearchSettings.self, forKey: .settings)
    inputs = try container.decode(SearchInputs.self, forKey: .inputs)
    started = try container.decodeIfPresent(String.self, forKey: .started)
    machine = try container.decodeIfPresent(String.self, forKey: .machine)
  }
}

extension SearchRecord: Codable {
  private enum Key: String, CodingKey { case record }
  private enum Kind: String, Codable {
    case header = "settings"
    case original, trial, rung, result
  }

  package init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .record) {
    case .header: self = .header(try Header(from: decoder))
    case .original: self = .original(try Original(from: decoder))
    case .trial: self = .trial(try Trial(from: decoder))
    case .rung: self = .rung(try Rung(from: decoder))
    case .result: self = .result(try Result(from: decoder))
    }
    guard isPossible else { throw InputError("numbers that no search writes") }
  }

  /// Whether its numbers are such as a search writes: a file may say anything, and they are computed with.
  private var isPossible: Bool {
    let counts = 0...1 << 31
    func areRanks(_ rank: Int, _ fullRank: Int) -> Bool { counts.contains(fullRank) && (0...fullRank).contains(rank) }
    func areTimes(_ seconds: Double) -> Bool { (0...1e12).contains(seconds) }
    func areMeasures(_ numbers: Double...) -> Bool { numbers.allSatisfy { abs($0) < 1e12 } }
    func areScores(_ windows: [WindowScore]) -> Bool {
      windows.allSatisfy { counts.contains($0.tokens) && abs($0.nll) < 1e12 }
    }
    switch self {
    case .header(let header):
      let (texts, files) = (
        header.inputs.text + header.inputs.heldOut + (header.inputs.guarded ?? []),
        [header.inputs.model] + [header.inputs.base].compactMap(\.self)
      )
      return texts.allSatisfy { counts.contains($0.windows) }
        && (texts.map(\.bytes) + files.map(\.bytes)).allSatisfy { (0...1 << 60).contains($0 ?? 0) }
    case .original(let original): return areScores(original.windows)
    case .trial(let trial):
      return areRanks(trial.rank, trial.fullRank) && counts.contains(trial.number) && counts.contains(trial.windowsUsed)
        && areTimes(trial.seconds)
        && areMeasures(
          trial.nll, trial.delta, trial.level, trial.guarded?.delta ?? 0, trial.damping ?? 0, trial.removed ?? 0)
        && (trial.together ?? []).allSatisfy {
          areRanks($0.rank, $0.fullRank)
            && areMeasures($0.predicted, $0.standardError, $0.damping ?? 0, $0.removed ?? 0)
        }
    case .rung(let rung):
      return counts.contains(rung.number) && counts.contains(rung.round) && counts.contains(rung.sites)
        && areTimes(rung.seconds)
        && areScores(rung.windows)
        && areMeasures(rung.nll, rung.delta, rung.damping, rung.level, rung.guarded?.delta ?? 0)
    case .result(let result):
      let scores = [result.searchBaseline, result.search, result.heldOutBaseline, result.heldOut]
      let others =
        [result.heldOutBase, result.guardBaseline, result.guarded].map { $0 ?? [] }
        + (result.alternatives ?? []).map(\.heldOut)
      return areTimes(result.seconds) && (scores + others).allSatisfy(areScores)
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .header(let value):
      try container.encode(Kind.header, forKey: .record)
      try value.encode(to: encoder)
    case .original(let value):
      try container.encode(Kind.original, forKey: .record)
      try value.encode(to: encoder)
    case .trial(let value):
      try container.encode(Kind.trial, forKey: .record)
      try value.encode(to: encoder)
    case .rung(let value):
      try container.encode(Kind.rung, forKey: .record)
      try value.encode(to: encoder)
    case .result(let value):
      try container.encode(Kind.result, forKey: .record)
      try value.encode(to: encoder)
    }
  }
}
