internal import FoundationEssentials
internal import SystemPackage
package import Tensors

/// Writes the weights of a checkpoint tensor by tensor, into one file or shards with an index.
///
/// All headers are known before the first byte of a tensor: names, types and shapes come first, then the bytes,
/// appended in the same order in pieces of any size, so that no tensor need be in memory as a whole. The files are laid
/// out as the format's own library does: tensors sorted by name, `"format": "pt"` in the metadata, the header padded to
/// 8 bytes. Source: github.com/huggingface/safetensors, "Format".
package final class SafetensorsWriter {
  package struct Tensor: Sendable {
    package let name: String
    /// As the format names it.
    package let type: String
    package let shape: [Int]
    package let byteCount: Int

    package init(name: String, type: ElementType, shape: [Int]) {
      self.init(name: name, type: type.rawValue, shape: shape, byteCount: type.byteCount(of: shape.reduce(1, *)))
    }

    /// A tensor of any of the format's types.
    init(name: String, type: String, shape: [Int], byteCount: Int) {
      self.name = name
      self.type = type
      self.shape = shape
      self.byteCount = byteCount
    }
  }

  /// In the order in which their bytes are to be appended: the names', byte by byte.
  package let tensors: [Tensor]
  /// The tensors of each file.
  private let shards: [Range<Int>]
  private let folder: String
  private let stem: String
  private var descriptor: FileDescriptor?
  private var shard = -1
  private var position = 0
  /// Index of the tensor whose bytes come next, and how many of them are there.
  private var current = 0
  private var appended = 0

  /// - Parameters:
  ///   - folder: An existing folder, not yet holding the files.
  ///   - shardSize: Bytes of tensors that a file may hold; a tensor that is larger has a file of its own.
  ///   - stem: What the names of the files begin with.
  package init(_ tensors: [Tensor], to folder: String, shardSize: Int, stem: String = fileStem) {
    let sorted = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    precondition(zip(sorted, sorted.dropFirst()).allSatisfy { $0.name != $1.name }, "two tensors of one name")
    self.tensors = sorted
    self.shards = Self.shards(sorted, limit: shardSize)
    self.folder = folder
    self.stem = stem
  }

  private static func shards(_ tensors: [Tensor], limit: Int) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var (start, size) = (0, 0)
    for (index, tensor) in tensors.enumerated() {
      if index > start, size + tensor.byteCount > limit {
        result.append(start..<index)
        (start, size) = (index, 0)
      }
      size += tensor.byteCount
    }
    return result + [start..<tensors.count]
  }

  deinit {
    try? descriptor?.close()
  }

  package static let fileStem = "model"

  package static func indexName(stem: String = fileStem) -> String { stem + ".safetensors.index.json" }

  /// The files with tensors: model.safetensors, or model-00001-of-00003.safetensors and so on.
  package static func fileNames(shardCount: Int, stem: String = fileStem) -> [String] {
    func digits(_ number: Int) -> String { String(String(100_000 + number).dropFirst()) }
    if shardCount == 1 { return ["\(stem).safetensors"] }
    return (1...shardCount).map { "\(stem)-\(digits($0))-of-\(digits(shardCount)).safetensors" }
  }

  /// Whether a file may be one of a checkpoint's weights, or their index.
  static func isOwn(_ name: String, stem: String = fileStem) -> Bool {
    guard name != indexName(stem: stem), name != stem + ".safetensors" else { return true }
    guard name.hasPrefix(stem + "-"), name.hasSuffix(".safetensors") else { return false }
    let numbers = name.dropFirst(stem.count + 1).dropLast(".safetensors".count).split(separator: "-")
    return numbers.count == 3 && numbers[1] == "of" && numbers[0].allSatisfy(\.isNumber)
      && numbers[2].allSatisfy(\.isNumber)
  }

  package var fileNames: [String] { Self.fileNames(shardCount: shards.count, stem: stem) }

  package var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

  /// Appends the next bytes of the tensor named, which must be the one whose turn it is.
  package func append(_ bytes: UnsafeRawBufferPointer, of name: String) throws(CheckpointError) {
    precondition(current < tensors.count && tensors[current].name == name, "\(name) out of turn")
    precondition(appended + bytes.count <= tensors[current].byteCount, "\(name) has fewer bytes")
    let file: FileDescriptor
    if let descriptor, current < shards[shard].upperBound { file = descriptor } else { file = try openNextShard() }
    try AtomicFile.write(bytes, to: file, at: position, path: path)
    position += bytes.count
    appended += bytes.count
    if appended == tensors[current].byteCount {
      current += 1
      appended = 0
    }
  }

  /// Appends rows of a matrix, or all of it, as they are stored.
  package func append(_ matrix: StoredMatrix, of name: String) throws(CheckpointError) {
    precondition(current < tensors.count && tensors[current].type == matrix.type.rawValue, "\(name) has another type")
    try append(matrix.region, of: name)
  }

  func append(_ region: any ByteRegion, of name: String) throws(CheckpointError) {
    try region.withBytes { bytes throws(CheckpointError) in try append(bytes, of: name) }
  }

  /// Numbers that are expanded at once.
  private static let blockSize = 1 << 20

  /// Appends a matrix in another type, number by number through `change` and rounded once; or byte by byte, if nothing
  /// changes.
  ///
  /// - Throws: `StoredMatrix.NotFinite` for a number that the type does not hold, `CheckpointError`.
  package func append(
    _ matrix: StoredMatrix, as type: ElementType, of name: String, change: ((Double) -> Double)? = nil
  ) throws {
    if change == nil, matrix.type == type { return try append(matrix, of: name) }
    for rows in Parallelism.blocks(of: matrix.rows, size: max(1, Self.blockSize / max(1, matrix.columns))) {
      var values = DoubleMatrix(try matrix.decoded(rows: rows))
      if let change {
        for index in values.elements.indices { values.elements[index] = change(values.elements[index]) }
      }
      let rounded = StoredMatrix(rounding: values, to: type)
      _ = try rounded.decoded()
      try append(rounded, of: name)
    }
  }

  /// Syncs the last file and writes the index, if there are several.
  package func finish() throws(CheckpointError) {
    precondition(current == tensors.count, "\(tensors.count - current) tensors are missing")
    try closeShard()
    guard shards.count > 1 else { return }
    var map: [JSON.Member] = []
    for (name, range) in zip(fileNames, shards) {
      map += tensors[range].map { JSON.Member(key: $0.name, value: .string(name)) }
    }
    let index = JSON.object([
      JSON.Member(key: "metadata", value: .object([JSON.Member(key: "total_size", value: .integer(byteCount))])),
      JSON.Member(key: "weight_map", value: .object(map)),
    ])
    try AtomicFile.write(index.indented + "\n", to: folder + "/" + Self.indexName(stem: stem))
  }

  // MARK: Files

  private var path: String { folder + "/" + fileNames[max(shard, 0)] }

  private func openNextShard() throws(CheckpointError) -> FileDescriptor {
    try closeShard()
    shard += 1
    let next = try AtomicFile.openNew(path)
    descriptor = next
    let header = OwnedBytes(Self.header(tensors[shards[shard]]))
    try AtomicFile.write(header, to: next, at: 0, path: path)
    position = header.byteCount
    return next
  }

  private func closeShard() throws(CheckpointError) {
    guard let finished = descriptor.take() else { return }
    try AtomicFile.syncAndClose(finished, path: path)
  }

  /// What stands before the bytes of tensors that follow each other.
  static func header(_ tensors: ArraySlice<Tensor>) -> [UInt8] {
    var members = [
      JSON.Member(key: "__metadata__", value: .object([JSON.Member(key: "format", value: .string("pt"))]))
    ]
    var offset = 0
    for tensor in tensors {
      let end = offset + tensor.byteCount
      members.append(
        JSON.Member(
          key: tensor.name,
          value: .object([
            JSON.Member(key: "dtype", value: .string(tensor.type)),
            JSON.Member(key: "shape", value: .array(tensor.shape.map { .integer($0) })),
            JSON.Member(key: "data_offsets", value: .array([.integer(offset), .integer(end)])),
          ])))
      offset = end
    }
    var text = Array(JSON.object(members).compact.utf8)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    let length = UInt64(text.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text
  }
}
