internal import FoundationEssentials
internal import Glibc
internal import SystemPackage

/// Says to other processes that an output is being written, and clears away what an earlier one left of it.
///
/// An empty file beside the output, `.name.lock`, is locked until this goes. The lock is the system's (`flock`), so that
/// it does not outlive its process; the file may, and is taken over.
final class OutputLock: Sendable {
  private let path: String
  private let descriptor: FileDescriptor

  /// - Parameter patience: How long to wait for another process, for outputs that take no time to write.
  /// - Throws: `CheckpointError` if another process writes the output.
  init(of target: String, patience: Duration = .zero) throws(CheckpointError) {
    let path = "\(parentFolder(of: target))/.\(fileName(target)).lock"
    let end = ContinuousClock.now + patience
    while true {
      if let held = try Self.lock(path, of: target) {
        (self.path, descriptor) = (path, held)
        break
      }
      guard ContinuousClock.now < end else {
        throw CheckpointError(
          .exists, file: target, "another laser is writing it; wait for that one, or give another name")
      }
      usleep(10_000)
    }
    PartialName.removeRemains(of: target)
  }

  deinit {
    // In this order: a process that opened the file before it lost its name looks for it again (`lock`).
    removeFile(path)
    try? descriptor.close()
  }

  /// Nil where another process has it.
  private static func lock(_ path: String, of target: String) throws(CheckpointError) -> FileDescriptor? {
    guard status(of: path)?.type != .symbolicLink else { throw CheckpointError.link(path) }
    let descriptor = try CheckpointError.naming(target) {
      try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec, .noFollow, .nonBlocking], permissions: [.ownerReadWrite])
    }
    let isOurs: Bool
    do throws(Errno) {
      try descriptor.lock()
      let (opened, named) = (try? Stat(descriptor), status(of: path))
      // The one who had it may have removed the name since it was opened.
      isOurs = opened.map { $0.inode == named?.inode && $0.deviceID == named?.deviceID } ?? false
    } catch { isOurs = false }
    if !isOurs { try? descriptor.close() }
    return isOurs ? descriptor : nil
  }
}

/// Names of files and folders that are not whole yet: `.name.0123456789abcdef.partial`, beside the output. No two are the
/// same, so that nobody writes into what another one makes.
enum PartialName {
  private static let ending = ".partial"
  private static let digitCount = 16

  static func new(for target: String) -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    let number = String(repeating: "0", count: digitCount - digits.count) + digits
    return "\(parentFolder(of: target))/.\(fileName(target)).\(number)\(ending)"
  }

  /// Removes what processes that were killed left of an output, which nobody may be writing. Links are removed, and not
  /// followed.
  static func removeRemains(of target: String) {
    let (folder, prefix) = (parentFolder(of: target), ".\(fileName(target)).")
    let manager = FileManager.default
    for name in (try? manager.contentsOfDirectory(atPath: folder)) ?? []
    where name.hasPrefix(prefix) && name.hasSuffix(ending) {
      let number = name.dropFirst(prefix.count).dropLast(ending.count)
      guard number.count == digitCount, number.allSatisfy({ $0.isHexDigit && !$0.isUppercase }) else { continue }
      try? manager.removeItem(atPath: folder + "/" + name)
    }
  }
}
