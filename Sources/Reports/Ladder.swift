internal import Evaluation
internal import Search

/// The search for a damping, as it was made: a ladder for each group of matrices, and what was measured of its parts.
struct Ladder {
  let group: String
  let round: Int
  let isAlternative: Bool
  /// For all matrices of the group, from the most cautious damping down.
  private(set) var rungs: [SearchRecord.Rung]
  /// For halves of them, and theirs.
  private(set) var parts: [SearchRecord.Rung] = []

  private init(_ first: SearchRecord.Rung) {
    (group, round, isAlternative, rungs) = (first.group, first.round, first.isAlternative, [first])
  }

  private var sites: Int { rungs.first?.sites ?? 0 }

  /// The rung that was taken for the whole group, if one was.
  var chosen: SearchRecord.Rung? { rungs.filter(\.passes).min { $0.delta < $1.delta } }

  static func ladders(of outcome: SearchOutcome) -> [Ladder] {
    var ladders: [Ladder] = []
    for rung in outcome.rungs {
      let known = ladders.firstIndex {
        $0.group == rung.group && $0.round == rung.round && $0.isAlternative == rung.isAlternative
      }
      if let known, rung.sites < ladders[known].sites {
        ladders[known].parts.append(rung)
      } else if let known {
        ladders[known].rungs.append(rung)
        ladders[known].rungs.sort { $0.damping > $1.damping }
      } else {
        ladders.append(Ladder(rung))
      }
    }
    return ladders
  }

  var name: String {
    isAlternative ? "\(group), one factor for each matrix" : round > 1 ? "\(group), round \(round)" : group
  }

  /// Nil where the whole group has a damping.
  var note: String? {
    guard chosen == nil else { return nil }
    guard !parts.isEmpty else { return "No k passes for \(name)." }
    let passed = parts.count(where: \.passes)
    let damping = parts.first.map { Numbers.plain($0.damping) } ?? ""
    return "No k passes for \(name) as a whole; of \(parts.count) \(parts.count == 1 ? "part" : "parts") measured at "
      + "k = \(damping), \(passed) \(passed == 1 ? "passes" : "pass")."
  }

  /// What was measured of whole groups, and the parts that passed, for Markdown; `note` counts the others.
  static func table(_ ladders: [Ladder]) -> Table {
    var table = Table(["matrices", "count", "k", "change on judging windows, nats/token", "passes"])
    for ladder in ladders {
      for rung in ladder.rungs + ladder.parts.filter(\.passes) {
        let delta = PairedDelta(mean: rung.delta, standardError: rung.standardError)
        let isChosen = rung.number == ladder.chosen?.number || (rung.sites < ladder.sites && rung.passes)
        table.append([
          ladder.name, "\(rung.sites)", Numbers.plain(rung.damping), Alternatives.text(delta),
          isChosen ? "chosen" : rung.passes ? "yes" : rung.guarded == nil ? "no" : "no: guard text",
        ])
      }
    }
    return table
  }
}
