internal import Evaluation
internal import Models
internal import RankReduction
internal import Wording

/// What a journal says of a search that is continued, read in the order in which it was written.
struct PastRecords {
  private(set) var header: SearchRecord.Header?
  private(set) var isFinished = false
  /// Worked in earlier sessions.
  private(set) var seconds = 0.0
  /// The original model's score of the search text, if it was measured.
  private(set) var original: Score?
  private var trials: ArraySlice<SearchRecord.Trial>
  private var rungs: ArraySlice<SearchRecord.Rung>
  /// Of the search that is extended, whose records stand in another journal.
  private var reusable: ReusableRecords?

  init(_ records: [SearchRecord]) {
    var trials: [SearchRecord.Trial] = []
    var rungs: [SearchRecord.Rung] = []
    for record in records {
      switch record {
      case .header(let value): header = value
      case .original(let value): original = Score(value.windows)
      case .trial(let value):
        trials.append(value)
        seconds = value.seconds
      case .rung(let value):
        rungs.append(value)
        seconds = value.seconds
      case .result(let value):
        isFinished = true
        seconds = value.seconds
      }
    }
    self.trials = trials[...]
    self.rungs = rungs[...]
  }

  /// Also uses what another search measured, whose settings or held-out texts were others: see `ReusableRecords`.
  ///
  /// - Parameter now: Of the search that goes on.
  mutating func use(_ earlier: PastRecords, now: SearchRecord.Header) {
    func selection(_ settings: SearchSettings?) -> [[String]] {
      ["layers", "experts", "roles"].map { name in settings.map { Setting.named(name)?.write($0) ?? [] } ?? [] }
    }
    let isSameSelection = selection(earlier.header?.settings) == selection(now.settings)
    reusable = ReusableRecords(trials: Array(earlier.trials), rungs: isSameSelection ? Array(earlier.rungs) : [])
  }

  /// The measurement of a trial that an extended search made on the same model.
  func reusable(
    _ reduction: Reduction, phase: SearchRecord.Trial.Phase, after kept: [Reduction]
  ) -> SearchRecord.Trial? { reusable?.trial(reduction, phase: phase, after: kept) }

  /// The next rung that an extended search measured, if it is the one that is asked for.
  mutating func reusableRung(_ isSame: (SearchRecord.Rung) -> Bool) -> SearchRecord.Rung? {
    reusable?.nextRung(isSame)
  }

  /// The record of the trial that the search is about to make, if it was made before.
  ///
  /// - Throws: `InputError` if another trial stands in its place.
  mutating func nextTrial(
    of reductions: [Reduction], phase: SearchRecord.Trial.Phase, number: Int
  ) throws(InputError) -> SearchRecord.Trial? {
    guard let next = trials.first else { return nil }
    guard next.number == number, next.phase == phase, next.reductions.map(\.site) == reductions.map(\.site),
      next.reductions.map(\.rank) == reductions.map(\.rank)
    else {
      throw InputError("the journal does not fit the search: it has trial \(next.number) where \(number) should be")
    }
    trials.removeFirst()
    return next
  }

  /// The record of the next rung, if it was measured before.
  mutating func nextRung() -> SearchRecord.Rung? { rungs.popFirst() }

  /// Whether the journal goes on, but with another phase: the one before it was cut short.
  func hasLeft(_ phase: SearchRecord.Trial.Phase) -> Bool { trials.first.map { $0.phase != phase } ?? false }

  /// The trials of all ranks of a site, if they are the next ones after those that are skipped.
  func trials(_ ranks: [Int], of site: Site, after skipped: Int) -> ArraySlice<SearchRecord.Trial>? {
    let next = trials.dropFirst(skipped).prefix(ranks.count)
    return next.map(\.rank) == ranks && next.allSatisfy { $0.site == site } ? next : nil
  }
}

extension SearchRecord.Header {
  /// - Throws: `InputError` for a journal of another version.
  func refuseOtherVersion(in folder: String) throws(InputError) {
    guard version == Self.currentVersion else {
      throw InputError("\(folder) holds a search of another version of laser (\(program)); use another --out")
    }
  }

  /// What a search that goes on has otherwise than a journal, in words; empty where nothing differs.
  ///
  /// - Throws: `InputError` that names the first file or setting in which they may not differ.
  func changes(to now: SearchRecord.Header, in folder: String) throws(InputError) -> [String] {
    try refuseOtherVersion(in: folder)
    var changes: [String] = []
    let hasSameText = inputs.text == now.inputs.text
    for (before, now) in zip(inputs.identities, now.inputs.identities) where before.fingerprint != now.fingerprint {
      // Held-out text that was half of the search text is another half now.
      guard before.what == SearchInputs.heldOutName, hasSameText else {
        throw InputError(
          "\(folder) holds a search of another \(before.what) (\(before.name), now \(now.name)); use another --out")
      }
      changes.append("\(before.what) \(now.name) instead of \(before.name)")
    }
    for setting in Setting.all where !setting.isPath {
      let (before, now) = (setting.write(settings), setting.write(now.settings))
      guard before != now else { continue }
      func text(_ values: [String]) -> String {
        guard values.isEmpty else { return values.joined(separator: ",") }
        return setting.shape == .flag ? "false" : "not given"
      }
      if setting.canChange {
        changes.append(
          before.isEmpty
            ? "\(setting.label) \(text(now)), not given before"
            : now.isEmpty
              ? "\(setting.label) not given, \(text(before)) before"
              : "\(setting.label) \(text(now)) instead of \(text(before))")
        continue
      }
      throw InputError(
        "\(folder) holds a search with \(setting.label) \(text(before)), not \(text(now)); use another --out or the same "
          + "settings"
          + (setting.name == "screening" ? " (its precision also takes the memory and processor for it)" : ""))
    }
    return changes
  }
}

extension SearchInputs {
  fileprivate static let heldOutName = "held-out text"

  /// What each input is, the fingerprints that it has, and its name for people.
  fileprivate var identities: [(what: String, fingerprint: String, name: String)] {
    func texts(_ what: String, _ texts: [Text]) -> (String, String, String) {
      (what, texts.map(\.fingerprint).joined(separator: " "), texts.map(\.path).joined(separator: " "))
    }
    return [
      ("model", model.fingerprint, model.path), ("tokenizer", tokenizer, model.path),
      ("base", base?.fingerprint ?? "none", base?.path ?? "none"), texts("search text", text),
      texts(Self.heldOutName, heldOut), texts("guard text", guarded ?? []),
    ]
  }
}
