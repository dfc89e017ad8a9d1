internal import Models
package import Processes
internal import Tensors

/// Which process decomposes a site and makes its matrices; it hands them to the others.
///
/// Sites are dealt out in the order of the model, so that those of a layer are about as many in each process, and a site's
/// decomposition is always made, and kept, by the same one.
package struct SiteDivision: Sendable {
  private let processes: ProcessGroup
  private let owners: [Site: Int]

  /// One process does all of it.
  init() { (processes, owners) = (.alone, [:]) }

  init(among processes: ProcessGroup, sites: [Site]) {
    self.processes = processes
    owners =
      processes.isAlone
      ? [:] : Dictionary(zip(sites, (0...).lazy.map { $0 % processes.count })) { first, _ in first }
  }

  var isAlone: Bool { processes.isAlone }

  package var group: ProcessGroup { processes }

  private func owner(of site: Site) -> Int { owners[site] ?? 0 }

  func isOwn(_ site: Site) -> Bool { processes.isAlone || owner(of: site) == processes.rank }

  /// Neighbours in a list of sites, at most so many of each process.
  func blocks(of sites: [Site], size: Int) -> [Range<Int>] {
    var blocks: [Range<Int>] = []
    var start = 0
    var counts: [Int: Int] = [:]
    for (index, site) in sites.enumerated() {
      let owner = processes.isAlone ? 0 : owner(of: site)
      if counts[owner, default: 0] == size {
        blocks.append(start..<index)
        (start, counts) = (index, [:])
      }
      counts[owner, default: 0] += 1
    }
    return start < sites.count ? blocks + [start..<sites.count] : blocks
  }

  // MARK: Handing over

  /// A site's matrix in every process.
  ///
  /// - Parameter made: What its owner has made; nil elsewhere.
  func shared(_ made: StoredMatrix?, of site: Site) throws -> StoredMatrix {
    guard !processes.isAlone else { return try known(made) }
    let isFactored = shared([made?.factors == nil ? 0 : 1], of: site) == [1]
    guard isFactored else { return try sharedBytes(made, of: site) }
    let factors = made?.factors
    return StoredMatrix(
      LowRankFactors(left: try sharedBytes(factors?.left, of: site), right: try sharedBytes(factors?.right, of: site)))
  }

  private func sharedBytes(_ made: StoredMatrix?, of site: Site) throws -> StoredMatrix {
    let name = shared(made.map { Array($0.type.rawValue.utf8) } ?? [], of: site)
    let shape = shared(made.map { [$0.rows, $0.columns] } ?? [], of: site)
    let bytes = shared(made.map { $0.region.withBytes { Array($0) } } ?? [], of: site)
    if let made { return made }
    let type = try known(ElementType(rawValue: String(decoding: name, as: UTF8.self)))
    return StoredMatrix(type: type, rows: shape[0], columns: shape[1], region: OwnedBytes(bytes))
  }

  /// A site's decomposition and spectrum in every process.
  func shared(
    _ made: (decomposition: SingularValueDecomposition, spectrum: Spectrum)?, of site: Site,
    shape: () -> (rows: Int, columns: Int)
  ) -> (decomposition: SingularValueDecomposition, spectrum: Spectrum) {
    let values = shared(made?.decomposition.singularValues ?? [], of: site)
    let edge = shared(made?.spectrum.roundingEdge.map { [$0] } ?? [], of: site)
    let vectors = shared(made?.decomposition.vectorElements ?? [], of: site)
    if let made { return made }
    let (rows, columns) = shape()
    return (
      SingularValueDecomposition(singularValues: values, rows: rows, columns: columns, vectorElements: vectors),
      Spectrum(singularValues: values, rows: rows, columns: columns, roundingEdge: edge.first)
    )
  }

  private func shared<Value: BitwiseCopyable>(_ values: [Value], of site: Site) -> [Value] {
    processes.broadcast(values, from: owner(of: site))
  }

  /// The owner of a site has made it.
  private func known<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Missing() }
    return value
  }

  /// Processes have come to different steps: a mistake of the program.
  private struct Missing: Error, CustomStringConvertible {
    let description = "the processes have lost each other; run the same command again, and report this"
  }
}
