internal import FoundationEssentials
package import Tensors

/// Writes a copy of a checkpoint in which some matrices are replaced by others of the same shape and type.
///
/// Shards keep their layout and headers, and every byte outside the replaced matrices; all other files of the folder
/// are copied. Where matrices are stored as factors, or no longer are, and where numbers of few bits become bfloat16,
/// files are laid out anew. A model in GGUF is copied file by file. The copy is made under a temporary name beside the target, synced, and renamed when it is
/// whole.
package struct CheckpointCopy {
  private let checkpoint: Checkpoint
  private let place: Place
  private let form: MatrixForm

  private enum Place {
    case folder(FolderReplacement)
    /// A model in GGUF: its files are copied without what lies beside them.
    case gguf(GGUFCopy)
  }

  /// Checks, before any work, that the target may be written.
  ///
  /// - Parameters:
  ///   - form: How the copy's matrices are stored; in GGUF always dense.
  ///   - replacesExisting: Whether an earlier copy may be replaced. Nothing else ever is: the target must be a
  ///     checkpoint
  ///     and hold no file that the original does not have.
  ///   - paths: What the caller still needs or has just written: the target must neither be nor hold it.
  ///   - isOwn: Whether a file that the original does not have, by its path, was added by an earlier copy.
  package init(
    of checkpoint: Checkpoint, to target: String, as form: MatrixForm = .dense, replacesExisting: Bool,
    protecting paths: [String] = [], recognizing isOwn: @escaping (String) -> Bool = { _ in false }
  ) throws(CheckpointError) {
    self.checkpoint = checkpoint
    self.form = form
    if let parts = checkpoint.gguf {
      place = .gguf(try GGUFCopy(of: parts, to: target, replacesExisting: replacesExisting, protecting: paths))
      return
    }
    let folder = checkpoint.path
    let rewrites = Self.rewrites(checkpoint, as: form)
    place = .folder(
      try FolderReplacement(
        of: target, replacesExisting: replacesExisting, sources: [folder], protecting: paths,
        mayReplace: {
          FileManager.default.fileExists(atPath: folder + "/" + $0) || isOwn(target + "/" + $0)
            || rewrites && RewrittenTensors.mayBeOwn($0)
        }))
  }

  /// Whether the copy's tensors are others than the original's.
  private static func rewrites(_ checkpoint: Checkpoint, as form: MatrixForm) -> Bool {
    form == .factored || checkpoint.isFactored || checkpoint.storage.isScaled
  }

  /// - Parameters:
  ///   - replacements: Whole tensors or rows of them. Shape and type must be those of the original.
  ///   - separate: Where matrices of stacked experts are as tensors of their own, and what else is called otherwise then:
  ///     used where the copy stores one of them as factors, since a stack has no place for these.
  ///   - texts: By path in the folder: files of a folder that the copy has instead of, or beside, those of the original.
  ///   - progress: Called with the bytes written and the bytes to write.
  package func write(
    replacing replacements: [TensorReference: StoredMatrix],
    separating separate: [TensorReference: TensorReference] = [:], texts: [String: String] = [:],
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    switch place {
    case .gguf(let copy):
      let ordered = replacements.sorted {
        ($0.key.tensor, $0.key.storedRows.lowerBound) < ($1.key.tensor, $1.key.storedRows.lowerBound)
      }
      try copy.write(
        replacing: ordered.map { reference, matrix in
          let isWhole = reference.rows == reference.shape.dropLast().reduce(1, *)
          return .init(tensor: reference.tensor, rows: isWhole ? nil : reference.storedRows, matrix: matrix)
        },
        progress: progress)
    case .folder(let replacement):
      let rewritten =
        Self.rewrites(checkpoint, as: form)
        ? try RewrittenTensors(checkpoint, replacing: replacements, separating: separate, as: form) : nil
      let replacedFiles = rewritten?.replacedFiles ?? Set(checkpoint.shards.map { fileName($0.path) })
      try replacement.perform { folder in
        try copyFolder(
          checkpoint.path, to: folder, skipping: replacedFiles.union(texts.keys).union(omittedWeightFiles))
        for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
          let path = folder + "/" + name
          if !isFolder(parentFolder(of: path)) { try AtomicFile.makeFolder(parentFolder(of: path)) }
          try AtomicFile.write(text, to: path)
          if name.contains("/") { try AtomicFile.syncFolder(parentFolder(of: path)) }
        }
        if let rewritten {
          try rewritten.write(to: folder, progress: progress)
        } else {
          try copyShards(to: folder, replacing: replacements, progress: progress)
        }
        try checkpoint.refuseChange()
      }
    }
  }

  /// Files of the original that hold weights which this copy does not change, so that a reader of them sees no
  /// reduction.
  package var untouchedWeightFiles: [String] { otherWeightFiles.filter { !omittedWeightFiles.contains($0) } }

  /// Other weights of the original that a copy with tensors of its own leaves out: those in the way of its files, and
  /// beside factors all, since programs that do not know factors must find no weights.
  private var omittedWeightFiles: [String] {
    guard Self.rewrites(checkpoint, as: form) else { return [] }
    return otherWeightFiles.filter { form == .factored || RewrittenTensors.mayBeOwn($0) }
  }

  /// Files within folders of the original that hold weights, as in `original/consolidated.00.pth`: the whole model once
  /// more, in another form and not reduced. A copy leaves them out.
  package var weightFilesLeftOut: [String] {
    guard checkpoint.gguf == nil else { return [] }
    let paths = (try? FileManager.default.subpathsOfDirectory(atPath: checkpoint.path)) ?? []
    return paths.filter { $0.contains("/") && !$0.hasPrefix(".git/") && Self.holdsWeights($0) }.sorted()
  }

  private var otherWeightFiles: [String] {
    guard checkpoint.gguf == nil else { return [] }
    let shardNames = Set(checkpoint.shards.map { fileName($0.path) })
    let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpoint.path)) ?? []
    return names.filter { !shardNames.contains($0) && Self.holdsWeights($0) }.sorted()
  }

  private static func holdsWeights(_ name: String) -> Bool {
    [".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".onnx_data", ".h5", ".msgpack"].contains {
      name.hasSuffix($0)
    }
  }

  /// Folders of a repository that a copy with other weights has no claim to: its history, and its results on benchmarks.
  private static let ofTheOriginal: Set<String> = [".git", ".eval_results"]

  /// Links to files are followed: a folder of the Hugging Face cache is made of them. Links to folders, which may lead
  /// back, version control, results on benchmarks and weights within folders stay behind.
  private func copyFolder(
    _ source: String, to target: String, skipping: Set<String>, isWithin: Bool = false
  ) throws {
    let manager = FileManager.default
    for name in try manager.contentsOfDirectory(atPath: source).sorted()
    where !skipping.contains(name) && !Self.ofTheOriginal.contains(name) {
      let from = source + "/" + name
      let to = target + "/" + name
      var isFolder = false
      guard manager.fileExists(atPath: from, isDirectory: &isFolder) else { continue }  // a dangling link
      if isFolder {
        if (try? manager.destinationOfSymbolicLink(atPath: from)) != nil { continue }
        try AtomicFile.makeFolder(to)
        try copyFolder(from, to: to, skipping: [], isWithin: true)
        try AtomicFile.syncFolder(to)
      } else if !isWithin || !Self.holdsWeights(name) {
        try copyFile(try MappedFile(path: from), to: to, replacing: []) { _ in }
      }
    }
  }

  private func copyShards(
    to folder: String, replacing replacements: [TensorReference: StoredMatrix], progress: (Int, Int) -> Void
  ) throws {
    var patches = checkpoint.shards.map { _ in [(offset: Int, matrix: StoredMatrix)]() }
    for (reference, matrix) in try checkpoint.wholeRows(of: replacements) {
      let place = try checkpoint.location(of: reference)
      precondition(
        (place.type, reference.rows, reference.columns) == (matrix.type, matrix.rows, matrix.columns),
        "a replacement has another type or shape than its tensor")
      patches[place.shard].append((place.bytes.lowerBound, matrix))
    }
    let total = checkpoint.shards.reduce(0) { $0 + $1.byteCount }
    var done = 0
    for (shard, patch) in zip(checkpoint.shards, patches) {
      try copyFile(shard, to: folder + "/" + fileName(shard.path), replacing: patch) { count in
        done += count
        progress(done, total)
      }
    }
  }

  private func copyFile(
    _ file: MappedFile, to path: String, replacing patches: [(offset: Int, matrix: StoredMatrix)],
    progress: (Int) -> Void
  ) throws(CheckpointError) {
    let bytes = patches.map { (offset: $0.offset, bytes: $0.matrix.region) }
    try AtomicFile.makeNew(path) { descriptor, path throws(CheckpointError) in
      try AtomicFile.copy(file, to: descriptor, path: path, replacing: bytes, progress: progress)
      try file.refuseChange()
    }
  }
}

extension Checkpoint {
  /// Replacements by whole rows of tensors, in the order of these: parts of the same rows become one.
  func wholeRows(
    of replacements: [TensorReference: StoredMatrix]
  ) throws(CheckpointError) -> [(reference: TensorReference, matrix: StoredMatrix)] {
    var result = replacements.filter { $0.key.part == nil }
    let parts = Dictionary(grouping: replacements.filter { $0.key.part != nil }, by: \.key.ofAllNumbers)
    for (rows, parts) in parts {
      let ordered = parts.sorted { $0.key.name < $1.key.name }
      result[rows] = try storedRows(of: rows).replacing(
        ordered.compactMap { replacement in replacement.key.part.map { ($0, replacement.value) } })
    }
    return result.sorted {
      ($0.key.tensor, $0.key.storedRows.lowerBound) < ($1.key.tensor, $1.key.storedRows.lowerBound)
    }
    .map { ($0.key, $0.value) }
  }
}
