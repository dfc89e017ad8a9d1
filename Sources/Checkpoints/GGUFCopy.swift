internal import FoundationEssentials
package import Tensors

/// Writes a copy of a model in GGUF in which some matrices are replaced.
///
/// Where a replacement has its tensor's type, every other byte stays as it is. A replacement of another type must be a
/// whole tensor; the tensors after it then move, and nothing else changes. Files are made under temporary names and
/// renamed when all are whole, the first part last.
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
  private let targets: [String]

  /// Checks, before any work, that the targets may be written.
  ///
  /// - Parameters:
  ///   - target: The name of the file. A split model gives split files: of `x.gguf` (or its first part's name) become
  ///     `x-00001-of-00003.gguf` and so on.
  ///   - replacesExisting: Whether files of these names may be replaced; the original's never are.
  ///   - paths: Other files that the targets must not be.
  package init(
    of model: GGUFParts, to target: String, replacesExisting: Bool, protecting paths: [String] = []
  ) throws(CheckpointError) {
    self.model = model
    targets = Self.names(target, count: model.files.count)
    for path in targets {
      try Self.refuseUnsafe(
        path, sources: model.files.map(\.file.path), protecting: paths, replacesExisting: replacesExisting)
    }
  }

  /// - Throws: `CheckpointError` if a GGUF file may not be written there.
  package static func refuseUnsafe(
    _ path: String, sources: [String], protecting paths: [String], replacesExisting: Bool
  ) throws(CheckpointError) {
    guard path.hasSuffix(".gguf") else {
      throw CheckpointError(.unwritable, file: path, "the name of a GGUF file must end with .gguf")
    }
    guard !sources.map(resolvedPath).contains(resolvedPath(path)) else {
      throw CheckpointError(.exists, file: path, "the original lies there; give another name")
    }
    guard !paths.map(resolvedPath).contains(resolvedPath(path)) else {
      throw CheckpointError(.exists, file: path, "this file is still needed; give another name")
    }
    var isFolder = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return }
    guard replacesExisting, !isFolder else {
      throw CheckpointError(.exists, file: path, "exists already; give another name, or --force to replace it")
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
    var finished: [String] = []
    do throws(CheckpointError) {
      for ((file, target), replaced) in zip(zip(model.files, targets), parts) {
        finished.append(temporaryName(target))
        try write(file, to: temporaryName(target), replacing: replaced) { count in progress(done + count, total) }
        done += file.file.byteCount
      }
      for target in targets.reversed() {
        try CheckpointError.naming(target) { try renameFile(temporaryName(target), to: target) }
      }
      try AtomicFile.syncFolder(parentFolder(of: targets[0]))
    } catch {
      for path in finished { removeFile(path) }
      throw error
    }
  }

  private func temporaryName(_ target: String) -> String {
    "\(parentFolder(of: target))/.\(fileName(target)).new"
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
    _ file: GGUFFile, to path: String, replacing replacements: [Replacement], progress: (Int) -> Void
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
      try AtomicFile.make(path) { descriptor, temporary throws(CheckpointError) in
        try AtomicFile.copy(file.file, to: descriptor, path: temporary, replacing: patches) { count in
          done += count
          progress(done)
        }
      }
      return
    }
    try rewrite(file, to: path, types: newTypes, replacing: replacements, progress: progress)
  }

  private func rewrite(
    _ file: GGUFFile, to path: String, types: [GGUFTensorType], replacing replacements: [Replacement],
    progress: (Int) -> Void
  ) throws(CheckpointError) {
    let tensors = zip(file.tensors, types).map { GGUFWriter.Tensor(name: $0.name, type: $1, shape: $0.shape) }
    let originals = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
    let writer = GGUFWriter(metadata: file.metadata, tensors: tensors, version: file.version)
    try writer.write(to: path, progress: { done, _ in progress(done) }) { tensor throws(CheckpointError) in
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
