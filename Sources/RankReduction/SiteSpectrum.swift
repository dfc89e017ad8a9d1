package import Models

/// The singular values of a site's matrix, or of its difference to a base.
package struct SiteSpectrum: Sendable, Codable, Equatable {
  package let layer: Int
  package let expert: Int?
  package let role: Role
  package let kind: ReductionKind
  package let rows: Int
  package let columns: Int
  /// σ₁ ≥ σ₂ ≥ …
  package let singularValues: [Double]
  /// Where rounding ends; nil where it is not known, and in files of earlier versions.
  package let roundingEdge: Double?

  package init(_ site: Site, kind: ReductionKind, _ spectrum: Spectrum) {
    layer = site.layer
    expert = site.expert
    role = site.role
    self.kind = kind
    rows = spectrum.rows
    columns = spectrum.columns
    singularValues = spectrum.singularValues
    roundingEdge = spectrum.roundingEdge
  }

  package var site: Site { Site(layer: layer, expert: expert, role: role) }

  /// Nil where the numbers do not belong together, as in a damaged file.
  package var spectrum: Spectrum? {
    let sizes = 1..<1 << 31
    guard sizes.contains(rows), sizes.contains(columns), singularValues.count == min(rows, columns),
      (singularValues + [roundingEdge ?? 0]).allSatisfy({ $0 >= 0 && $0.isFinite })
    else { return nil }
    return Spectrum(singularValues: singularValues, rows: rows, columns: columns, roundingEdge: roundingEdge)
  }

  private enum CodingKeys: String, CodingKey {
    case layer, expert, role, kind, rows, columns
    case singularValues = "singular_values"
    case roundingEdge = "rounding_edge"
  }
}
