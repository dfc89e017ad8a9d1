internal import Models
internal import RankReduction

/// What a journal says of a search that is continued, read in the order in which it was written.
struct PastRecords {
  private(set) var settings: SearchRecord.Settings?
  private(set) var isFinished = false
  /// Worked in earlier sessions.
  private(set) var seconds = 0.0
  private var trials: ArraySlice<SearchRecord.Trial>

  init(_ records: [SearchRecord]) {
    var trials: [SearchRecord.Trial] = []
    for record in records {
      switch record {
      case .settings(let value): settings = value
      case .trial(let value):
        trials.append(value)
        seconds = value.seconds
      case .result(let value):
        isFinished = true
        seconds = value.seconds
      }
    }
    self.trials = trials[...]
  }

  /// The record of the trial that the search is about to make, if it was made before.
  ///
  /// - Throws: `SearchError` if another trial stands in its place.
  mutating func nextTrial(
    _ reduction: Reduction, phase: SearchRecord.Trial.Phase, number: Int
  ) throws(SearchError) -> SearchRecord.Trial? {
    try nextTrial(of: [reduction], phase: phase, number: number)
  }

  mutating func nextTrial(
    of reductions: [Reduction], phase: SearchRecord.Trial.Phase, number: Int
  ) throws(SearchError) -> SearchRecord.Trial? {
    guard let next = trials.first else { return nil }
    guard next.number == number, next.phase == phase, next.reductions == reductions else {
      throw SearchError("the journal does not fit the search: it has trial \(next.number) where \(number) should be")
    }
    trials.removeFirst()
    return next
  }

  /// Whether the journal goes on, but with another phase: the one before it was cut short.
  func hasLeft(_ phase: SearchRecord.Trial.Phase) -> Bool { trials.first.map { $0.phase != phase } ?? false }

  /// The trials of all ranks of a site, if they are the next ones after those that are skipped.
  func trials(_ ranks: [Int], of site: Site, after skipped: Int) -> ArraySlice<SearchRecord.Trial>? {
    let next = trials.dropFirst(skipped).prefix(ranks.count)
    return next.map(\.rank) == ranks && next.allSatisfy { $0.site == site } ? next : nil
  }
}

extension SearchRecord.Settings {
  /// - Throws: `SearchError` that names the first setting in which a journal differs from what is asked for now.
  func refuseDifferences(from now: SearchRecord.Settings, in folder: String) throws(SearchError) {
    func identities(_ texts: [Text]) -> String { texts.map(\.fingerprint).joined(separator: " ") }
    func paths(_ texts: [Text]) -> String { texts.map(\.path).joined(separator: " ") }
    guard version == now.version else {
      throw SearchError(
        "\(folder) holds a search of another version of laser (\(program), now \(now.program)); use another --out")
    }
    let contents: [(what: String, before: String, now: String, name: (before: String, now: String))] = [
      ("model", model.fingerprint, now.model.fingerprint, (model.path, now.model.path)),
      ("tokenizer", tokenizer, now.tokenizer, (model.path, now.model.path)),
      (
        "base", base?.fingerprint ?? "none", now.base?.fingerprint ?? "none",
        (base?.path ?? "none", now.base?.path ?? "none")
      ),
      ("search text", identities(text), identities(now.text), (paths(text), paths(now.text))),
      ("held-out text", identities(heldOut), identities(now.heldOut), (paths(heldOut), paths(now.heldOut))),
    ]
    for entry in contents where entry.before != entry.now {
      throw SearchError(
        "\(folder) holds a search of another \(entry.what) (\(entry.name.before), now \(entry.name.now)); use another --out"
      )
    }
    let values: [(what: String, before: String, now: String)] = [
      ("convention", convention, now.convention), ("context", "\(context)", "\(now.context)"),
      ("stride", stride.map(String.init) ?? "none", now.stride.map(String.init) ?? "none"),
      (
        "experts per token", expertsPerToken.map(String.init) ?? "as configured",
        now.expertsPerToken.map(String.init) ?? "as configured"
      ),
      ("layers", layers, now.layers), ("experts", experts, now.experts),
      ("roles", roles.joined(separator: ","), now.roles.joined(separator: ",")),
      ("ranks", ranks.joined(separator: ","), now.ranks.joined(separator: ",")),
      ("confidence", "\(confidence)", "\(now.confidence)"),
      ("false discovery rate", "\(falseDiscoveryRate)", "\(now.falseDiscoveryRate)"),
      ("exhaustive", "\(isExhaustive)", "\(now.isExhaustive)"),
      (
        "screening (which takes the memory and the processor for it)", screening ?? "float32",
        now.screening ?? "float32"
      ),
      ("strategy", strategy.rawValue, now.strategy.rawValue), ("objective", objective, now.objective),
      ("tolerance", tolerance.map { "\($0)" } ?? "none", now.tolerance.map { "\($0)" } ?? "none"),
      ("budget", budget ?? "none", now.budget ?? "none"), ("control", "\(isControl)", "\(now.isControl)"),
    ]
    for entry in values where entry.before != entry.now {
      throw SearchError(
        "\(folder) holds a search with \(entry.what) \(entry.before), not \(entry.now); use another --out or the same settings"
      )
    }
  }
}
