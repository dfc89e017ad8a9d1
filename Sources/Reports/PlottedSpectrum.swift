package import Models
package import RankReduction

/// The singular values of a matrix, to be drawn.
package struct PlottedSpectrum {
  package let site: Site
  package let spectrum: Spectrum
  /// The rank that was chosen, if one was.
  package let rank: Int?

  package init(site: Site, spectrum: Spectrum, rank: Int? = nil) {
    self.site = site
    self.spectrum = spectrum
    self.rank = rank
  }
}
