internal import Checkpoints
internal import Models
package import RankReduction

/// What singular values say of a model's matrices: a table for people, an object for programs, a drawing for both.
package struct SpectrumTables: Encodable {
  private let model: String
  private let base: String?
  private let sites: [Row]
  private let tuning: TuningRanks

  private enum CodingKeys: String, CodingKey { case model, base, sites }

  private struct Row: Encodable {
    let site: Site
    let spectrum: Spectrum

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(site.layer, forKey: .layer)
      try container.encodeIfPresent(site.expert, forKey: .expert)
      try container.encode(site.role.rawValue, forKey: .role)
      try container.encode(spectrum.rows, forKey: .rows)
      try container.encode(spectrum.columns, forKey: .columns)
      try container.encode(spectrum.noiseEdge, forKey: .noiseEdge)
      try container.encode(spectrum.rankAboveNoise, forKey: .rankAboveNoise)
      try container.encodeIfPresent(spectrum.numericalRank, forKey: .numericalRank)
      try container.encode(spectrum.effectiveRank, forKey: .effectiveRank)
      var energy = container.nestedContainer(keyedBy: EnergyKeys.self, forKey: .energyRanks)
      try energy.encode(spectrum.rank(keepingEnergy: 0.5), forKey: .half)
      try energy.encode(spectrum.rank(keepingEnergy: 0.9), forKey: .most)
      try energy.encode(spectrum.rank(keepingEnergy: 0.99), forKey: .nearlyAll)
      try container.encode(spectrum.singularValues, forKey: .singularValues)
    }

    private enum EnergyKeys: String, CodingKey {
      case half = "0.5"
      case most = "0.9"
      case nearlyAll = "0.99"
    }

    private enum CodingKeys: String, CodingKey {
      case layer, expert, role, rows, columns
      case noiseEdge = "noise_edge"
      case rankAboveNoise = "rank_above_noise"
      case numericalRank = "numerical_rank"
      case effectiveRank = "effective_rank"
      case energyRanks = "energy_ranks"
      case singularValues = "singular_values"
    }
  }

  package init(model: String, base: String?, _ spectra: [SiteSpectrum]) {
    self.model = model
    self.base = base
    tuning = TuningRanks(spectra)
    sites = spectra.compactMap { record in record.spectrum.map { Row(site: record.site, spectrum: $0) } }
  }

  package var plain: String {
    let hasBase = base != nil
    var table = Table(
      ["matrix", "rank"] + (hasBase ? ["num."] : [])
        + ["σ₁", "noise", "above", "eff.", "50 %", "90 %", "99 %", "spectrum"])
    for row in sites {
      let spectrum = row.spectrum
      table.append(
        [
          ["\(row.site.layer)", row.site.expert.map { "e\($0)" }, row.site.role.rawValue].compactMap(\.self)
            .joined(separator: " "), "\(spectrum.fullRank)",
        ] + (hasBase ? [spectrum.numericalRank.map(String.init) ?? "–"] : []) + [
          Numbers.significant(spectrum.singularValues.first ?? 0, 3), Numbers.significant(spectrum.noiseEdge, 3),
          "\(spectrum.rankAboveNoise)", Numbers.fixed(spectrum.effectiveRank, spectrum.effectiveRank < 100 ? 1 : 0),
        ] + [0.5, 0.9, 0.99].map { "\(spectrum.rank(keepingEnergy: $0))" } + [Self.bars(spectrum)])
    }
    let numerical = hasBase ? "\n  The numerical rank is that above the rounding of the stored types." : ""
    return """
      \(table.plain)
        Singular values of \(hasBase ? "the differences to the base" : "the weights"): the largest, the edge of noise
        and the rank above it, the effective rank, the ranks that keep 50, 90 and
        99 % of Σ σ².\(numerical)\(tuning.lines.map { "\n  " + $0 }.joined())

      """
  }

  /// The singular values at even steps, as bars from zero.
  private static func bars(_ spectrum: Spectrum, width: Int = 10) -> String {
    let values = spectrum.singularValues
    guard let largest = values.first, largest > 0 else { return String(repeating: "·", count: width) }
    let blocks = Array("▁▂▃▄▅▆▇█")
    return String(
      (0..<width).map { step in
        let index = Int((Double(step) / Double(width - 1) * Double(values.count - 1)).rounded())
        return blocks[max(0, min(7, Int((values[index] / largest * 8).rounded(.up)) - 1))]
      })
  }

  /// SVG.
  package var drawing: String {
    SpectrumPlots(sites.map { .init(site: $0.site, spectrum: $0.spectrum) }, limit: 200).file(
      title: "\(fileName(model))\(base.map { ", differences to \(fileName($0))" } ?? "")")
  }
}
