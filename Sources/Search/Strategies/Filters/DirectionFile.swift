internal import Checkpoints
internal import FoundationEssentials
internal import Models
internal import Processes
internal import RankReduction
internal import Wording

/// The statistics of directions that a pass made, in the run folder, each site's on a line of its own, written as they are made: a search that
/// is continued goes on from the last of them.
struct DirectionFile: ~Copyable {
  private let file: LineFile

  /// One site's statistics, by fold.
  struct Entry: Codable {
    let layer: Int
    let expert: Int?
    let role: Role
    let kind: ReductionKind
    /// Fingerprint of all that the numbers depend on.
    let origin: String
    let folds: [Fold]

    /// Numbers are float64 in the order of bytes of this machine, which are read again as they were.
    struct Fold: Codable {
      let windows: Int
      let sums: Data
      let squares: Data
      let total: Data
    }

    var site: Site { Site(layer: layer, expert: expert, role: role) }

    init(_ site: Site, kind: ReductionKind, origin: String, _ folds: [DirectionStatistics]) {
      (layer, expert, role) = (site.layer, site.expert, site.role)
      (self.kind, self.origin) = (kind, origin)
      self.folds = folds.map {
        Fold(
          windows: $0.windows, sums: Self.data($0.sums), squares: Self.data($0.squares),
          total: Self.data([$0.totalSum, $0.totalSquare]))
      }
    }

    /// Nil where the numbers do not belong together.
    var statistics: [DirectionStatistics]? {
      let read = folds.compactMap { fold -> DirectionStatistics? in
        let total = Self.numbers(fold.total)
        guard total.count == 2 else { return nil }
        return DirectionStatistics(
          windows: fold.windows, sums: Self.numbers(fold.sums), squares: Self.numbers(fold.squares),
          totalSum: total[0], totalSquare: total[1])
      }
      return read.count == folds.count ? read : nil
    }

    private static func data(_ numbers: [Double]) -> Data { numbers.withUnsafeBytes { Data($0) } }

    private static func numbers(_ data: Data) -> [Double] {
      let width = MemoryLayout<Double>.size
      let bytes = Array(data)
      return (0..<bytes.count / width).map { index in
        Double(
          bitPattern: bytes[index * width..<(index + 1) * width].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
      }
    }
  }

  /// Opens the file of a run folder, or makes it; of processes that work together, the first does.
  ///
  /// - Parameters:
  ///   - known: Receives what was there.
  ///   - isUsable: Where it is false of an entry, the file is begun anew.
  init(
    _ name: String, in folder: String, _ processes: ProcessGroup, known: inout [Entry], isUsable: (Entry) -> Bool
  ) throws {
    var found: [Entry] = []
    let opened = processes.isFirst ? try Self.open(folder + "/" + name, known: &found, isUsable: isUsable) : .nowhere
    known = try processes.fromFirst { found }
    file = opened
  }

  private static func open(
    _ path: String, known: inout [Entry], isUsable: (Entry) -> Bool
  ) throws -> LineFile {
    var entries: [Entry] = []
    let file = try LineFile(path: path, beginnings: [#"{"expert":"#, #"{"folds":["#]) {
      let (values, byteCount) = try LineFile.read(path, as: Entry.self) { line in
        InputError("\(path), line \(line): not the statistics of a matrix; remove the file, it will be made again")
      }
      guard values.allSatisfy(isUsable) else { return 0 }
      entries = values
      return byteCount
    }
    known = entries
    return file
  }

  func add(_ entry: Entry) throws { try file.append(entry, synced: true) }
}
