internal import Models
internal import RankReduction
package import Search

/// What a filter search did and found, in words: shared by the terminal and all reports.
package struct FilterText {
  private let outcome: SearchOutcome

  /// Nil for a search of ranks.
  package init?(_ outcome: SearchOutcome) {
    guard outcome.settings.strategy == .filters else { return nil }
    self.outcome = outcome
  }

  // MARK: What was done

  /// Matrices whose directions were studied.
  var siteCount: Int { Set(outcome.spectra.map(\.site)).union(outcome.kept.map(\.site)).count }

  /// "72 of 96 matrices filtered: shrink, k = 2"
  package var filtered: String {
    guard !outcome.kept.isEmpty else { return "No matrix is filtered" }
    return "\(Numbers.grouped(outcome.kept.count)) of \(matrices(siteCount)) filtered: \(recipe)"
  }

  /// The kind of filter, and the damping of each group of matrices: "shrink, k = 2 for feed-forward, 16 for attention".
  var recipe: String {
    var dampings: [(group: String, values: Set<Double>)] = []
    for trial in outcome.kept {
      guard let damping = trial.damping else { continue }
      let group = SiteGroup.name(of: trial.site)
      if let index = dampings.firstIndex(where: { $0.group == group }) {
        dampings[index].values.insert(damping)
      } else {
        dampings.append((group, [damping]))
      }
    }
    let texts = dampings.map { group, values in
      let ends = [values.min(), values.max()].compactMap(\.self).map { Numbers.plain($0) }
      return (ends.first == ends.last ? Array(ends.prefix(1)) : ends).joined(separator: " to ")
        + (dampings.count > 1 ? " for \(group)" : "")
    }
    let kind = outcome.settings.filter.rawValue
    if let only = dampings.first?.values, only.count == 1, dampings.allSatisfy({ $0.values == only }) {
      return "\(kind), k = \(only.map(Numbers.plain).joined())"
    }
    return texts.isEmpty ? kind : "\(kind), k = \(texts.joined(separator: ", "))"
  }

  /// "18 models measured, k chosen on windows that did not make the filters"
  package var effort: String {
    let count = outcome.rungs.count
    let models = "\(Numbers.grouped(count)) \(count == 1 ? "model" : "models") measured"
    guard count > 0 else { return "no model measured" }
    let windows = "on windows that did not make the filters"
    return outcome.settings.damping.map { "\(models) \(windows), k = \(Numbers.plain($0)) given" }
      ?? "\(models), k chosen \(windows)"
  }

  /// How the damping was found, as a note to its chart or table.
  static func dampingNote(_ outcome: SearchOutcome) -> String {
    "The damping k says how cautious the filters are: with a larger k they take less away. Filters made from every second "
      + "window of the search text are measured on the others; the change is from the model with what was chosen before, "
      + "in \(Measure(outcome.settings).unit), paired by window, ± one standard error. "
      + (outcome.settings.damping == nil
        ? "The search goes down by quarters until the change gets worse, then looks beside the best; then" : "Then")
      + " the filters are made anew from all windows."
  }

  /// What a filter does to the directions of a matrix, after "the directions are".
  static func words(_ kind: FilterKind) -> String {
    switch kind {
    case .truncate: "cut off behind the strongest"
    case .scale: "all weighed by one factor from 0 to 1"
    case .select: "kept or dropped one by one"
    case .shrink: "weighed one by one, by factors from 0 to 1"
    case .reweight: "weighed one by one, by factors from 0 to 2"
    }
  }
}
