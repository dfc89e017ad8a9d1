internal import FoundationEssentials
internal import SystemPackage

/// Puts a new checkpoint folder in its place, whole or not at all: it is made under a temporary name beside the target,
/// synced, and renamed.
///
/// Nothing is ever lost to it: not a folder that the new one is made from, nor one that the caller still needs, nor any
/// file that does not belong to an earlier checkpoint of the same making.
struct FolderReplacement {
  /// What an existing target must be to be replaced.
  struct Kind {
    /// "a checkpoint"
    let words: String
    let isFolder: (String) -> Bool

    static var checkpoint: Kind { Kind(words: "a checkpoint") { (try? Checkpoint(path: $0)) != nil } }
  }

  let target: String
  private let kind: Kind
  private let replacesExisting: Bool
  /// Folders that the new one is made from: the target is none of them, nor inside one, nor around one.
  private let sources: [String]
  /// What the target must neither be nor hold.
  private let protectedPaths: [String]
  /// Whether a file of an existing target, by its path in the folder, may be replaced.
  private let mayReplace: (String) -> Bool

  /// Checks, before any work, that the target may be written.
  init(
    of target: String, kind: Kind = .checkpoint, replacesExisting: Bool, sources: [String],
    protecting paths: [String], mayReplace: @escaping (String) -> Bool
  ) throws(CheckpointError) {
    guard !target.isEmpty else { throw CheckpointError(.unwritable, file: "\"\"", "the name of a folder is needed") }
    self.target = absolutePath(target)
    self.kind = kind
    self.replacesExisting = replacesExisting
    self.sources = sources
    protectedPaths = paths
    self.mayReplace = mayReplace
    try restoreInterruptedReplacement()
    try refuseUnsafeTarget()
  }

  private func refuseUnsafeTarget() throws(CheckpointError) {
    let resolved = resolvedPath(target)
    for source in sources.map(resolvedPath) {
      guard resolved != source, !source.hasPrefix(resolved + "/"), !resolved.hasPrefix(source + "/") else {
        throw CheckpointError(.exists, file: target, "the original checkpoint lies there; give another folder")
      }
    }
    for path in protectedPaths.map(resolvedPath) where path == resolved || path.hasPrefix(resolved + "/") {
      throw CheckpointError(.exists, file: target, "\(path) lies there and is still needed; give another folder")
    }
    guard FileManager.default.fileExists(atPath: target) else { return }
    guard replacesExisting else {
      throw CheckpointError(.exists, file: target, "exists already; give another folder, or --force to replace it")
    }
    guard kind.isFolder(target) else {
      throw CheckpointError(.exists, file: target, "exists and is not \(kind.words), so it is not replaced")
    }
    if let foreignFile = firstForeignFile(in: "") {
      throw CheckpointError(
        .exists, file: target, "holds \(target)/\(foreignFile), which the new one does not have, so it is not replaced")
    }
  }

  /// The first file or folder of the target that may not be replaced, by its path in it.
  private func firstForeignFile(in folder: String) -> String? {
    let manager = FileManager.default
    for name in ((try? manager.contentsOfDirectory(atPath: target + "/" + folder)) ?? []).sorted() {
      let path = folder + name
      guard mayReplace(path) else { return path }
      var isFolder = false
      if manager.fileExists(atPath: target + "/" + path, isDirectory: &isFolder), isFolder,
        let foreignFile = firstForeignFile(in: path + "/")
      {
        return foreignFile
      }
    }
    return nil
  }

  /// Makes the new folder and puts it in place. When the body throws, the target is as it was.
  ///
  /// - Parameter fill: Writes the files, each synced, into the folder it is given.
  func perform(_ fill: (_ folder: String) throws -> Void) throws {
    let temporary = "\(parentFolder(of: target))/.\(fileName(target)).partial"
    let manager = FileManager.default
    try removeIfThere(temporary)
    do {
      try AtomicFile.makeFolder(temporary)
      try fill(temporary)
      try AtomicFile.syncFolder(temporary)
      try putInPlace(temporary)
    } catch {
      try? manager.removeItem(atPath: temporary)
      throw error
    }
  }

  /// An existing checkpoint is renamed out of the way, and removed once the new one is in its place.
  private func putInPlace(_ temporary: String) throws {
    try refuseUnsafeTarget()
    let earlier = earlierPath
    let manager = FileManager.default
    let replaces = replacesExisting && manager.fileExists(atPath: target)
    if replaces {
      try removeIfThere(earlier)
      try rename(target, to: earlier)
    }
    do {
      try rename(temporary, to: target)
    } catch {
      if replaces { try rename(earlier, to: target) }
      throw error
    }
    try AtomicFile.syncFolder(parentFolder(of: target))
    if replaces { try removeIfThere(earlier) }
  }

  private func removeIfThere(_ path: String) throws(CheckpointError) {
    let manager = FileManager.default
    do { if manager.fileExists(atPath: path) { try manager.removeItem(atPath: path) } } catch {
      throw CheckpointError(.unwritable, file: path, "it is in the way and cannot be removed; see who may write there")
    }
  }

  private var earlierPath: String { "\(parentFolder(of: target))/.\(fileName(target)).replaced" }

  /// A replacement that was cut off between its two renames left the old checkpoint under its other name and nothing in
  /// its place.
  private func restoreInterruptedReplacement() throws(CheckpointError) {
    let manager = FileManager.default
    if manager.fileExists(atPath: earlierPath), !manager.fileExists(atPath: target) {
      try rename(earlierPath, to: target)
    }
  }

  private func rename(_ old: String, to new: String) throws(CheckpointError) {
    try CheckpointError.naming(new) { try renameFile(old, to: new) }
  }
}
