internal import FoundationEssentials
internal import Glibc
package import Tensors

/// Writes a copy of a checkpoint in which some matrices are replaced by others of the same shape and type.
///
/// Shards keep their layout and headers, and every byte outside the replaced matrices; all other files of the folder are
/// copied. Of a model in GGUF, its file or parts are copied, to a file. The copy is made under a temporary name beside the target, synced, and renamed when it is whole.
package struct CheckpointCopy {
  private let checkpoint: Checkpoint
  private let target: String
  private let replacesExisting: Bool
  /// Of a model in GGUF, whose files are copied without what lies beside them.
  private let gguf: GGUFCopy?

  /// What must not lie in the target: the original, and what the caller still needs or has just written.
  private let precious: [String]

  /// Checks, before any work, that the target may be written.
  ///
  /// - Parameters:
  ///   - replacesExisting: Whether an earlier copy may be replaced. Nothing else ever is: the target must be a checkpoint
  ///     and hold no file that the original does not have.
  ///   - precious: Other files and folders that the target must neither be nor hold.
  package init(
    of checkpoint: Checkpoint, to target: String, replacesExisting: Bool, sparing precious: [String] = []
  ) throws(CheckpointError) {
    guard !target.isEmpty else { throw CheckpointError(.unwritable, file: "\"\"", "the name of a folder is needed") }
    self.checkpoint = checkpoint
    self.target = absolutePath(target)
    self.replacesExisting = replacesExisting
    self.precious = precious
    if let parts = checkpoint.gguf {
      gguf = try GGUFCopy(of: parts, to: target, replacesExisting: replacesExisting, sparing: precious)
      return
    }
    gguf = nil
    try restoreInterruptedReplacement()
    try refuseUnsafeTarget()
  }

  private func refuseUnsafeTarget() throws(CheckpointError) {
    let source = resolvedPath(checkpoint.folder)
    let resolved = resolvedPath(target)
    guard resolved != source, !source.hasPrefix(resolved + "/"), !resolved.hasPrefix(source + "/") else {
      throw CheckpointError(.exists, file: target, "the original checkpoint lies there; give another folder")
    }
    for path in precious.map(resolvedPath) where path == resolved || path.hasPrefix(resolved + "/") {
      throw CheckpointError(.exists, file: target, "\(path) lies there and is still needed; give another folder")
    }
    guard FileManager.default.fileExists(atPath: target) else { return }
    guard replacesExisting else {
      throw CheckpointError(.exists, file: target, "exists already; give another folder, or --force to replace it")
    }
    guard (try? Checkpoint(folder: target)) != nil else {
      throw CheckpointError(.exists, file: target, "exists and is not a checkpoint, so it is not replaced")
    }
    if let stranger = firstStranger(in: target, against: checkpoint.folder) {
      throw CheckpointError(
        .exists, file: target, "holds \(stranger), which the original does not have, so it is not replaced")
    }
  }

  /// The first file of a folder that has no namesake in another one.
  private func firstStranger(in folder: String, against other: String) -> String? {
    let manager = FileManager.default
    for name in ((try? manager.contentsOfDirectory(atPath: folder)) ?? []).sorted() {
      let (path, namesake) = (folder + "/" + name, other + "/" + name)
      guard manager.fileExists(atPath: namesake) else { return path }
      var isFolder = false
      if manager.fileExists(atPath: path, isDirectory: &isFolder), isFolder,
        let stranger = firstStranger(in: path, against: namesake)
      {
        return stranger
      }
    }
    return nil
  }

  /// - Parameters:
  ///   - replacements: Whole tensors or rows of them. Shape and type must be those of the original.
  ///   - progress: Called with the bytes written and the bytes to write.
  package func write(
    replacing replacements: [TensorReference: StoredMatrix], progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    if let gguf {
      let ordered = replacements.sorted {
        ($0.key.tensor, $0.key.storedRows.lowerBound) < ($1.key.tensor, $1.key.storedRows.lowerBound)
      }
      try gguf.write(
        replacing: ordered.map { .init(tensor: $0.key.tensor, rows: $0.key.storedRows, matrix: $0.value) },
        progress: progress)
      return
    }
    let temporary = partialPath
    let manager = FileManager.default
    if manager.fileExists(atPath: temporary) { try manager.removeItem(atPath: temporary) }
    do {
      try manager.createDirectory(atPath: temporary, withIntermediateDirectories: true)
      try copyFolder(checkpoint.folder, to: temporary, skipping: Set(checkpoint.shards.map { fileName($0.path) }))
      try copyShards(to: temporary, replacing: replacements, progress: progress)
      try AtomicFile.syncFolder(temporary)
      try putInPlace(temporary)
    } catch {
      try? manager.removeItem(atPath: temporary)
      throw error
    }
  }

  /// Files of the original that hold weights which this copy does not change, so that a reader of them sees no reduction.
  package var untouchedWeightFiles: [String] {
    guard gguf == nil else { return [] }
    let shardNames = Set(checkpoint.shards.map { fileName($0.path) })
    let endings = [".safetensors", ".bin", ".pt", ".pth", ".gguf"]
    let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpoint.folder)) ?? []
    return names.filter { name in !shardNames.contains(name) && endings.contains { name.hasSuffix($0) } }.sorted()
  }

  private var partialPath: String {
    "\(AtomicFile.parentFolder(of: target))/.\(fileName(target)).partial"
  }

  /// Links to files are followed: a folder of the Hugging Face cache is made of them. Links to folders, which may lead
  /// back, and version control (.git) stay behind.
  private func copyFolder(_ source: String, to target: String, skipping: Set<String>) throws {
    let manager = FileManager.default
    for name in try manager.contentsOfDirectory(atPath: source).sorted()
    where !skipping.contains(name) && name != ".git" {
      let from = source + "/" + name
      let to = target + "/" + name
      var isFolder = false
      guard manager.fileExists(atPath: from, isDirectory: &isFolder) else { continue }  // a dangling link
      if isFolder {
        if (try? manager.destinationOfSymbolicLink(atPath: from)) != nil { continue }
        try manager.createDirectory(atPath: to, withIntermediateDirectories: true)
        try copyFolder(from, to: to, skipping: [])
        try AtomicFile.syncFolder(to)
      } else {
        try copyFile(try MappedFile(path: from), to: to, replacing: []) { _ in }
      }
    }
  }

  private func copyShards(
    to folder: String, replacing replacements: [TensorReference: StoredMatrix], progress: (Int, Int) -> Void
  ) throws {
    var patches = checkpoint.shards.map { _ in [(offset: Int, matrix: StoredMatrix)]() }
    let ordered = replacements.sorted { ($0.key.name, $0.key.rows) < ($1.key.name, $1.key.rows) }
    for (reference, matrix) in ordered {
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
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw CheckpointError(.unwritable, file: path, systemMessage()) }
    do throws(CheckpointError) {
      let bytes = patches.map { (offset: $0.offset, bytes: $0.matrix.region) }
      try AtomicFile.copy(file, to: descriptor, path: path, replacing: bytes, progress: progress)
    } catch {
      close(descriptor)
      throw error
    }
    try AtomicFile.syncAndClose(descriptor, path: path)
  }

  /// An existing checkpoint steps aside under another name, and is removed once the new one stands in its place.
  private func putInPlace(_ temporary: String) throws {
    try refuseUnsafeTarget()
    let parent = AtomicFile.parentFolder(of: target)
    let aside = asidePath
    let manager = FileManager.default
    let replaces = replacesExisting && manager.fileExists(atPath: target)
    if replaces {
      if manager.fileExists(atPath: aside) { try manager.removeItem(atPath: aside) }
      try rename(target, to: aside)
    }
    do {
      try rename(temporary, to: target)
    } catch {
      if replaces { try rename(aside, to: target) }
      throw error
    }
    try AtomicFile.syncFolder(parent)
    if replaces { try manager.removeItem(atPath: aside) }
  }

  private var asidePath: String { "\(AtomicFile.parentFolder(of: target))/.\(fileName(target)).replaced" }

  /// A replacement that was cut off between its two renames left the old checkpoint aside and nothing in its place.
  private func restoreInterruptedReplacement() throws(CheckpointError) {
    let manager = FileManager.default
    if manager.fileExists(atPath: asidePath), !manager.fileExists(atPath: target) {
      try rename(asidePath, to: target)
    }
  }

  private func rename(_ old: String, to new: String) throws(CheckpointError) {
    guard Glibc.rename(old, new) == 0 else { throw CheckpointError(.unwritable, file: new, systemMessage()) }
  }
}

func fileName(_ path: String) -> String {
  String(path.split(separator: "/").last ?? "")
}

func absolutePath(_ path: String) -> String {
  let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
  return "/" + absolute.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
}

/// The path with links resolved, as far as it exists. Beyond that, ".." takes back the part before it: that part may be
/// made before the path is used.
func resolvedPath(_ path: String) -> String {
  let absolute = absolutePath(path)
  guard let resolved = realpath(absolute, nil) else {
    let parent = AtomicFile.parentFolder(of: absolute)
    guard parent != absolute else { return absolute }
    let resolvedParent = resolvedPath(parent)
    if fileName(absolute) == ".." { return AtomicFile.parentFolder(of: resolvedParent) }
    return (resolvedParent == "/" ? "" : resolvedParent) + "/" + fileName(absolute)
  }
  defer { free(resolved) }
  return String(cString: resolved)
}
