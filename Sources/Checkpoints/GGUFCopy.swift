internal import SystemPackage
package import Tensors

/// Writes a copy of a model in GGUF in which some matrices are replaced.
///
/// Where a replacement has its tensor's type, every other byte stays as it is. A replacement of another type must be a
/// whole tensor; the tensors after it then move, and nothing else changes. Files are made under other names and renamed
/// when all are whole, the first part last.
package struct GGUFCopy {
  package struct Replacement: Sendable {
    package let tensor: String
    /// The rows that are replaced, all dimensions but the last taken together; nil for all.
    package let rows: Range<Int>?
    package let matrix: StoredMatrix

    package init(tensor: String, rows: Range<Int>? = nil, matrix: StoredMatrix) {
      self.tensor = tensor
      self.rows = rows
      self.matrix = matrix
    }
  }

  private let model: GGUFParts
  private let targets: [OutputFile]

  /// Checks, before any work, that the targets may be written.
  ///
  /// - Parameters:
  ///   - target: The name of the file. A split model gives split files: of `x.gguf` (or its first part's name) become
  ///     `x-00001-of-00003.gguf` and so on.
  ///   - replacesExisting: Whether files of these names may be replaced; the original's never are.
  ///   - paths: Other files and folders that the targets must not be, or lie in.
  package init(
    of model: GGUFParts, to target: String, replacesExisting: Bool, protecting paths: [String] = []
  ) throws(CheckpointError) {
    self.model = model
    targets = try Self.names(target, count: model.files.count).map { path throws(CheckpointError) in
      try .gguf(path, replacesExisting: replacesExisting, inputs: model.files.map(\.file.path) + paths)
    }
  }

  private static func names(_ target: String, count: Int) -> [String] {
    guard count > 1 else { return [target] }
    let firstSuffix = GGUFParts.partSuffix(1, of: count)
    let ending = target.hasSuffix(firstSuffix) ? firstSuffix : ".gguf"
    let prefix = target.hasSuffix(ending) ? String(target.dropLast(ending.count)) : target
    return (1...count).map { prefix + GGUFParts.partSuffix($0, of: count) }
  }

  /// - Parameter progress: Called with the bytes written and the bytes to write.
  package func write(
    replacing replacements: [Replacement], progress: (Int, Int) -> Void = { _, _ in }
  ) throws(CheckpointError) {
    var parts = model.files.map { _ in [Replacement]() }
    for replacement in replacements { parts[try part(of: replacement)].append(replacement) }
    let total = model.files.reduce(0) { $0 + $1.file.byteCount }
    var done = 0
    try OutputFile.make(targets) { number, descriptor, path throws(CheckpointError) in
      let file = model.files[number]
      try write(file, to: descriptor, path: path, replacing: parts[number]) { count in progress(done + count, total) }
      done += file.file.byteCount
      // Parts already written are looked at again.
      for file in model.files[...number] { try file.file.refuseChange() }
    }
  }

  /// The number of the file that a replacement belongs to.
  private func part(of replacement: Replacement) throws(CheckpointError) -> Int {
    guard let part = model.part(of: replacement.tensor), let (file, tensor) = model.tensor(replacement.tensor) else {
      throw CheckpointError(
        .missingTensor, file: model.files[0].file.path, tensor: replacement.tensor, "the model does not have it")
    }
    let matrix = replacement.matrix
    guard matrix.columns == tensor.columnCount, matrix.rows == (replacement.rows?.count ?? tensor.rowCount) else {
      throw file.error(
        .wrongShape, tensor, "its shape is \(tensor.shape), but \(matrix.rows) rows of \(matrix.columns) replace it")
    }
    guard replacement.rows == nil || GGUFTensorType(matrix.type) == tensor.type else {
      throw file.error(
        .unsupported, tensor, "a part of it cannot be stored as \(matrix.type.rawValue), for it is \(tensor.type.name)")
    }
    return part
  }

  private func write(
    _ file: GGUFFile, to descriptor: FileDescriptor, path: String, replacing replacements: [Replacement],
    progress: (Int) -> Void
  ) throws(CheckpointError) {
    let types = file.tensors.map(\.type)
    let changed = Dictionary(replacements.map { ($0.tensor, $0) }) { first, _ in first }
    let newTypes = file.tensors.map { tensor in
      changed[tensor.name].map { GGUFTensorType($0.matrix.type) } ?? tensor.type
    }
    guard newTypes != types else {
      var patches: [(offset: Int, bytes: any ByteRegion)] = []
      for replacement in replacements {
        guard let (_, tensor) = model.tensor(replacement.tensor) else { continue }
        patches.append((try file.bytes(of: tensor, rows: replacement.rows).lowerBound, replacement.matrix.region))
      }
      var done = 0
      return try AtomicFile.copy(file.file, to: descriptor, path: path, replacing: patches) { count in
        done += count
        progress(done)
      }
    }
    try rewrite(file, to: descriptor, path: path, types: newTypes, replacing: replacements, progress: progress)
  }

  private func rewrite(
    _ file: GGUFFile, to descriptor: FileDescriptor, path: String, types: [GGUFTensorType],
    replacing replacements: [Replacement], progress: (Int) -> Void
  ) throws(CheckpointError) {
    let tensors = zip(file.tensors, types).map { GGUFWriter.Tensor(name: $0.name, type: $1, shape: $0.shape) }
    let originals = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
    let writer = GGUFWriter(metadata: file.metadata, tensors: tensors, version: file.version)
    try writer.write(to: descriptor, path: path, progress: { done, _ in progress(done) }) {
      tensor throws(CheckpointError) in
      guard let original = originals[tensor.name] else { preconditionFailure("a tensor of nowhere") }
      var region: any ByteRegion = file.file.region(original.bytes)
      for replacement in replacements where replacement.tensor == tensor.name {
        guard let rows = replacement.rows else {
          region = replacement.matrix.region
          continue
        }
        var bytes = region.withBytes { Array($0) }
        let range = try file.bytes(of: original, rows: rows)
        replacement.matrix.region.withBytes { new in
          bytes.replaceSubrange(
            range.lowerBound - original.bytes.lowerBound..<range.upperBound - original.bytes.lowerBound, with: new)
        }
        region = OwnedBytes(bytes)
      }
      return region
    }
  }
}
