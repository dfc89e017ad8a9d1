internal import Models
internal import RankReduction
internal import Search

/// Of how low a rank the differences to a base are, once the rounding of the stored types is left out: fine-tunes made with
/// adapters have a rank of 8 to 64 of thousands. A line an expert, and one for all other matrices.
struct TuningRanks {
  /// Empty where no difference is of low rank.
  let lines: [String]

  init(_ spectra: [SiteSpectrum]) {
    let known = spectra.filter { $0.kind == .delta }.compactMap { entry -> (expert: Int?, rank: Int, full: Int)? in
      guard let spectrum = entry.spectrum, let rank = spectrum.numericalRank else { return nil }
      return (entry.expert, rank, spectrum.fullRank)
    }
    guard known.contains(where: { 0 < $0.rank && $0.rank < $0.full }) else {
      lines = []
      return
    }
    let isMixture = known.contains { $0.expert != nil }
    lines = Dictionary(grouping: known, by: \.expert).sorted { ($0.key ?? .max) < ($1.key ?? .max) }.map {
      expert, found in
      let whose = expert.map { "expert \($0)" } ?? (isMixture ? "the other matrices" : "the matrices")
      let ranks = Set(found.map(\.rank)).sorted()
      let fullRanks = Set(found.map(\.full)).sorted()
      return "The tuning of \(whose) has rank \(Self.range(ranks)) of \(Self.range(fullRanks)); beyond it is rounding."
    }
  }

  /// "16", "8 to 16".
  private static func range(_ numbers: [Int]) -> String {
    guard let first = numbers.first, let last = numbers.last, first < last else {
      return numbers.first.map(String.init) ?? ""
    }
    return "\(first) to \(last)"
  }
}
