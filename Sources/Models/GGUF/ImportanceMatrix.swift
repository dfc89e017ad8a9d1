package import Checkpoints
internal import Tensors

/// How much the columns of each matrix matter: the sums of the squares of its inputs over the tokens of some text, which
/// llama.cpp calls an importance matrix ("imatrix").
package struct ImportanceMatrix: Sendable {
  /// By the tensor's name in GGUF.
  package private(set) var entries: [String: Entry]
  /// The texts it was measured on, as they are named in the file.
  package let datasets: [String]
  /// How many windows of how many tokens were run.
  package let windows: Int
  package let context: Int

  package struct Entry: Sendable, Equatable {
    /// (matrices, columns), one matrix after another: one, or those of all experts.
    package let sums: [Float]
    /// How many tokens came to each matrix.
    package let counts: [Int]

    package init(sums: [Float], counts: [Int]) {
      precondition(!counts.isEmpty && sums.count.isMultiple(of: counts.count), "matrices of different widths")
      (self.sums, self.counts) = (sums, counts)
    }

    package var columns: Int { sums.count / counts.count }

    /// The mean square of each column of one of the matrices of a stack; 1 for each of a matrix that no token came to.
    ///
    /// - Parameter columns: Of a matrix: old files have one count for a whole stack.
    package func importance(of matrix: Int, columns: Int) -> [Float] {
      let count = Float(counts[matrix * columns / self.columns])
      guard count > 0 else { return Array(repeating: 1, count: columns) }
      return sums[matrix * columns..<(matrix + 1) * columns].map { $0 / count }
    }
  }

  package init(entries: [String: Entry], datasets: [String], windows: Int, context: Int) {
    (self.entries, self.datasets, self.windows, self.context) = (entries, datasets, windows, context)
  }

  // MARK: Files

  private static let sumSuffix = ".in_sum2"
  private static let countSuffix = ".counts"

  /// Reads a file as llama-imatrix writes it.
  package init(path: String) throws(CheckpointError) {
    let file = try GGUFFile(path: path)
    guard file["general.type"]?.string == "imatrix" else {
      throw CheckpointError(.unsupported, file: path, "no importance matrix: \"general.type\" is not \"imatrix\"")
    }
    let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
    var entries: [String: Entry] = [:]
    for tensor in file.tensors where tensor.name.hasSuffix(Self.sumSuffix) {
      let name = String(tensor.name.dropLast(Self.sumSuffix.count))
      guard let counts = tensors[name + Self.countSuffix] else {
        throw file.error(.malformed, tensor, "it has sums but no \(name + Self.countSuffix)")
      }
      entries[name] = try Self.entry(file, sums: tensor, counts: counts)
    }
    guard !entries.isEmpty else { throw CheckpointError(.malformed, file: path, "no sums in it") }
    self.entries = entries
    datasets = file["imatrix.datasets"]?.strings ?? []
    windows = file["imatrix.chunk_count"]?.integer ?? 0
    context = file["imatrix.chunk_size"]?.integer ?? 0
  }

  private static func entry(
    _ file: GGUFFile, sums: GGUFFile.Tensor, counts: GGUFFile.Tensor
  ) throws(CheckpointError) -> Entry {
    let (sumNumbers, countNumbers) = (try numbers(file, sums), try numbers(file, counts))
    guard !countNumbers.isEmpty, !sumNumbers.isEmpty, sumNumbers.count.isMultiple(of: countNumbers.count) else {
      throw file.error(.wrongShape, sums, "\(sumNumbers.count) sums do not fit \(countNumbers.count) counts")
    }
    guard countNumbers.allSatisfy({ $0 >= 0 && $0 < 0x1p53 }), sumNumbers.allSatisfy({ $0 >= 0 }) else {
      throw file.error(.malformed, sums, "a sum of squares or a count is negative")
    }
    return Entry(sums: sumNumbers, counts: countNumbers.map { Int($0.rounded()) })
  }

  private static func numbers(_ file: GGUFFile, _ tensor: GGUFFile.Tensor) throws(CheckpointError) -> [Float] {
    let stored = try file.matrix(tensor)
    guard stored.type == .float32, let matrix = try? stored.decoded() else {
      throw file.error(.notFinite, tensor, "it must be finite numbers in F32")
    }
    return (0..<matrix.rows).flatMap { matrix.row($0) }
  }

  /// Writes the file as llama-imatrix does: tensors by name, first the sums of each, then the counts.
  package func write(to file: OutputFile) throws(CheckpointError) {
    var tensors: [GGUFWriter.Tensor] = []
    var contents: [String: [Float]] = [:]
    for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
      let parts = [
        (name + Self.sumSuffix, entry.sums, entry.columns), (name + Self.countSuffix, entry.counts.map(Float.init), 1),
      ]
      for (name, numbers, columns) in parts {
        tensors.append(.init(name: name, type: .init(.float32), shape: [entry.counts.count, columns]))
        contents[name] = numbers
      }
    }
    let writer = GGUFWriter(
      metadata: [
        .init(key: "general.type", value: .string("imatrix")),
        .init(key: "imatrix.datasets", value: .strings(datasets)),
        .init(key: "imatrix.chunk_count", value: .uint32(UInt32(clamping: windows))),
        .init(key: "imatrix.chunk_size", value: .uint32(UInt32(clamping: context))),
      ], tensors: tensors)
    try writer.write(to: file) { tensor throws(CheckpointError) in
      OwnedBytes((contents[tensor.name] ?? []).flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) })
    }
  }

  /// What a model's file says of the matrix that it was quantised by, as llama-quantize does.
  func metadata(file: String?) -> [GGUFFile.Member] {
    var members: [GGUFFile.Member] = []
    if let file { members.append(.init(key: "quantize.imatrix.file", value: .string(file))) }
    if let dataset = datasets.first { members.append(.init(key: "quantize.imatrix.dataset", value: .string(dataset))) }
    members.append(.init(key: "quantize.imatrix.entries_count", value: .uint32(UInt32(clamping: entries.count))))
    if windows > 0 {
      members.append(.init(key: "quantize.imatrix.chunks_count", value: .uint32(UInt32(clamping: windows))))
    }
    return members
  }
}
