internal import Checkpoints
package import Models
internal import Processes
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
  init(in folder: String, kind: ReductionKind, continues: Bool, _ processes: ProcessGroup) throws {
    var known: [SiteSpectrum] = []
    let opened = processes.isFirst ? try Self.open(in: folder, kind, continues, known: &known) : .nowhere
    let shared = try processes.fromFirst { known }
    file = opened
    for entry in shared { spectra[entry.site] = entry.spectrum }
  }

  private static func open(
    in folder: String, _ kind: ReductionKind, _ continues: Bool, known: inout [SiteSpectrum]
  ) throws -> LineFile {
    let path = path(in: folder)
    var found: [SiteSpectrum] = []
    let file = try LineFile(path: path, beginnings: [#"{"columns":"#]) {
      let (values, byteCount) = try readLines(path)
      guard continues, values.allSatisfy({ $0.kind == kind }) else { return 0 }
      found = values
      return byteCount
    }
    known = found
    return file
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
