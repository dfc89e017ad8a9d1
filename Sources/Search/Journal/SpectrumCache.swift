internal import Checkpoints
package import Models
package import RankReduction
internal import Wording

/// The spectra of a search's sites, each written down when its site is decomposed: what ranks are chosen from when the
/// search is continued, and what reports draw.
package struct SpectrumCache: ~Copyable {
  private let file: LineFile
  private var spectra: [Site: Spectrum] = [:]
  var all: [Site: Spectrum] { spectra }

  package static func path(in folder: String) -> String { folder + "/spectra.jsonl" }

  /// - Parameters:
  ///   - kind: Of the search's reductions: spectra of matrices are not those of differences.
  ///   - continues: Whether the folder has a journal of this search. Without one nothing says which model its spectra
  ///     are of, and they are made anew.
  package init(in folder: String, kind: ReductionKind, continues: Bool) throws {
    let path = Self.path(in: folder)
    var known: [SiteSpectrum] = []
    file = try LineFile(path: path, beginnings: [#"{"columns":"#]) {
      let (values, byteCount) = try Self.readLines(path)
      guard continues, values.allSatisfy({ $0.kind == kind }) else { return 0 }
      known = values
      return byteCount
    }
    for entry in known { spectra[entry.site] = entry.spectrum }
  }

  package subscript(site: Site) -> Spectrum? { spectra[site] }

  package mutating func add(_ spectrum: Spectrum, of site: Site, kind: ReductionKind) throws {
    guard spectra.updateValue(spectrum, forKey: site) == nil else { return }
    try file.append(SiteSpectrum(site, kind: kind, spectrum), synced: false)
  }

  /// The spectra in a run folder; none if it has no such file.
  package static func read(in folder: String) throws -> [SiteSpectrum] { try readLines(path(in: folder)).values }

  private static func readLines(_ path: String) throws -> (values: [SiteSpectrum], byteCount: Int) {
    func problem(_ line: Int) -> InputError {
      InputError("\(path), line \(line): not a spectrum; remove the file, it will be made again")
    }
    let lines = try LineFile.read(path, as: SiteSpectrum.self, problem: problem)
    if let damaged = lines.values.firstIndex(where: { $0.spectrum == nil }) { throw problem(damaged + 1) }
    return lines
  }
}
