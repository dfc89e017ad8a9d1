internal import FoundationEssentials
internal import SystemPackage

/// Puts a new checkpoint folder in its place, whole or not at all: it is made under another name beside the target,
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
  /// Nil while the folder that the target lies in is not there.
  private let lock: OutputLock?

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
    lock = isFolder(parentFolder(of: self.target)) ? try OutputLock(of: self.target) : nil
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
    guard let there = status(of: target) else { return }
    guard there.type != .symbolicLink else { throw CheckpointError.link(target) }
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
    try AtomicFile.makeFolder(parentFolder(of: target))
    let lock = try lock ?? OutputLock(of: target)
    defer { withExtendedLifetime(lock) {} }
    let partial = PartialName.new(for: target)
    do {
      try CheckpointError.naming(partial) { try makeSingleFolder(partial) }
      try fill(partial)
      try AtomicFile.syncFolder(partial)
      try putInPlace(partial)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
  }

  /// The new folder and an existing one exchange their names, at once, and the old one is removed.
  private func putInPlace(_ partial: String) throws {
    try refuseUnsafeTarget()
    guard status(of: target) != nil else {
      try CheckpointError.naming(target) { try renameFile(partial, to: target) }
      return try AtomicFile.syncFolder(parentFolder(of: target))
    }
    do throws(Errno) { try exchangeFiles(partial, target) } catch {
      guard error == .invalidArgument || error == .noFunction || error == .notSupported else {
        throw CheckpointError(.unwritable, file: target, "\(error)")
      }
      return try putInPlaceByRenaming(partial)
    }
    try AtomicFile.syncFolder(parentFolder(of: target))
    try removeOld(partial)
  }

  /// For file systems that cannot exchange names: between two renames, the old folder lies under another name. It never
  /// gets its own back by itself, since nobody could tell it from one that its owner has removed.
  private func putInPlaceByRenaming(_ partial: String) throws {
    let earlier = "\(parentFolder(of: target))/.\(fileName(target)).replaced"
    guard status(of: earlier) == nil else {
      throw CheckpointError(
        .exists, file: earlier, "left by an interrupted replacement of \(target); remove it, or give it that name")
    }
    try CheckpointError.naming(target) { try renameFile(target, to: earlier) }
    do throws(Errno) { try renameFile(partial, to: target) } catch {
      try? renameFile(earlier, to: target)
      throw CheckpointError(.unwritable, file: target, "\(error)")
    }
    try AtomicFile.syncFolder(parentFolder(of: target))
    try removeOld(earlier)
  }

  private func removeOld(_ path: String) throws(CheckpointError) {
    do { try FileManager.default.removeItem(atPath: path) } catch {
      throw CheckpointError(
        .unwritable, file: path, "the new \(target) is in place, but the old one cannot be removed from here; remove it"
      )
    }
  }
}
