package import Evaluation
package import Models
package import RankReduction

/// One line of a journal. All that a report says can be read from these.
package enum SearchRecord: Sendable {
  case settings(Settings)
  case trial(Trial)
  case result(Result)

  /// The first line: what was asked for, of which files.
  package struct Settings: Sendable, Equatable, Codable {
    package var version: Int
    package var program: String
    package var model: File
    /// Fingerprint of the file that made tokens of the texts.
    package var tokenizer: String
    package var base: File?
    package var text: [Text]
    package var heldOut: [Text]
    package var convention: String
    package var context: Int
    package var stride: Int?
    /// Where it is not the configuration's.
    package var expertsPerToken: Int?
    package var layers: String
    package var experts: String
    package var roles: [String]
    package var ranks: [String]
    package var confidence: Double
    package var falseDiscoveryRate: Double
    package var isExhaustive: Bool
    /// Where the first windows of a trial are not run in float32.
    package var screening: String?
    package var strategy: Strategy
    package var objective: String
    package var tolerance: Double?
    package var budget: String?
    package var isControl: Bool

    package struct File: Sendable, Equatable, Codable {
      package var path: String
      package var fingerprint: String
    }

    package struct Text: Sendable, Equatable, Codable {
      package var path: String
      package var fingerprint: String
      package var windows: Int
    }
  }

  /// One reduction measured against the model as it then was.
  package struct Trial: Sendable, Codable {
    package var number: Int
    package var phase: Phase
    package var tensor: String
    package var layer: Int
    package var expert: Int?
    package var role: Role
    package var kind: ReductionKind
    package var rank: Int
    package var fullRank: Int
    /// How many windows were run; the trial was stopped if they are not all. None for an assignment, which says nothing of
    /// nll, delta and error.
    package var windowsUsed: Int
    /// Over those windows, of the changed model; delta is paired on them.
    package var nll: Double
    package var delta: Double
    package var standardError: Double
    /// The level at which the delta was tested: how often luck alone would pass.
    package var level: Double
    /// What products were computed in, where it is not float32. Such a trial was stopped after its first windows.
    package var precision: String?
    package var kept: Bool
    /// Of a trial of several reductions made together: all of them. The trial's own site is then the first one's, nll, delta
    /// and error are those of the whole.
    package var together: [Member]?
    /// Since the search began, without the time between sessions.
    package var seconds: Double

    /// Where in its strategy a trial belongs.
    package enum Phase: String, Sendable, Codable {
      case sweep
      /// Greedy: a reduction of the original model.
      case single
      /// Greedy: a reduction on top of those kept before.
      case composition
      /// A rank given to a site without a measurement.
      case assignment
      /// Guided: several reductions of a layer, or the one that is left of them.
      case together
      /// Guided: foretold to first order, not measured. Not in the journal; see `Prediction`.
      case prediction
    }

    /// One of several reductions made together.
    package struct Member: Sendable, Codable {
      package var tensor: String
      package var layer: Int
      package var expert: Int?
      package var role: Role
      package var rank: Int
      package var fullRank: Int
      /// The change that was foretold to first order, and its error.
      package var predicted: Double
      package var standardError: Double

      package var site: Site { Site(layer: layer, expert: expert, role: role) }
    }

    /// What the trial reduced.
    package var reductions: [Reduction] {
      together.map { $0.map { Reduction(site: $0.site, kind: kind, rank: $0.rank) } } ?? [reduction]
    }

    package var site: Site { Site(layer: layer, expert: expert, role: role) }
    package var reduction: Reduction { Reduction(site: site, kind: kind, rank: rank) }
    /// Nil where nothing was measured.
    package var pairedDelta: PairedDelta? {
      windowsUsed > 0 ? PairedDelta(mean: delta, standardError: standardError) : nil
    }
  }

  /// The last line: the original and the lasered model on both texts, by window, evaluated as `laser perplexity` does.
  package struct Result: Sendable, Codable {
    package var searchBaseline: [WindowScore]
    package var search: [WindowScore]
    package var heldOutBaseline: [WindowScore]
    package var heldOut: [WindowScore]
    /// Where the original model's router sends the tokens of each search text, then of each held-out text; nil for a dense
    /// model.
    package var routing: [RoutingStatistics]?
    package var spentBudget: Bool
    package var seconds: Double
  }
}

extension SearchRecord: Codable {
  private enum Key: String, CodingKey { case record }
  private enum Kind: String, Codable { case settings, trial, result }

  package init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .record) {
    case .settings: self = .settings(try Settings(from: decoder))
    case .trial: self = .trial(try Trial(from: decoder))
    case .result: self = .result(try Result(from: decoder))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .settings(let value):
      try container.encode(Kind.settings, forKey: .record)
      try value.encode(to: encoder)
    case .trial(let value):
      try container.encode(Kind.trial, forKey: .record)
      try value.encode(to: encoder)
    case .result(let value):
      try container.encode(Kind.result, forKey: .record)
      try value.encode(to: encoder)
    }
  }
}
