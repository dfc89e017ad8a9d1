internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Tells one file, as it is now, from another, and from itself after it was written to.
struct FileIdentity: Equatable {
  private let device: UInt64
  private let inode: UInt64
  private let size: Int64
  /// When it was last written to, in seconds and nanoseconds.
  private let time: [Int]

  init(_ status: Stat) {
    device = UInt64(status.deviceID.rawValue)
    inode = UInt64(status.inode.rawValue)
    size = status.size
    time = [Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec)]
  }

  /// Nil where there is no file.
  init?(path: String) {
    guard let status = path.withCString({ try? Stat($0) }) else { return nil }
    self.init(status)
  }
}

/// Files that somebody changed while they were read. What was made of one is a mixture of before and after.
package enum InputChanges {
  private static let first = Mutex<String?>(nil)

  static func note(_ path: String) { first.withLock { $0 = $0 ?? path } }

  static func error(_ path: String) -> CheckpointError {
    CheckpointError(
      .unreadable, file: path,
      "it was changed while it was read, so nothing made of it holds; run the same command again")
  }

  /// To be asked when a command has done its work: of files that are no longer open.
  ///
  /// - Throws: `CheckpointError` that names a file that was changed while this process had it open.
  package static func refuse() throws(CheckpointError) {
    if let path = first.withLock({ $0 }) { throw error(path) }
  }
}

/// What is made of a file that not everybody may read must not be readable by everybody: once such a file has been opened,
/// whatever this process makes is closed to the same others (`umask`).
enum PrivateOutputs {
  private static let hidden = Mutex<mode_t>(0)

  static func follow(_ status: Stat) {
    let mode = status.permissions
    let mask: mode_t = (mode.contains(.groupRead) ? 0 : 0o070) | (mode.contains(.otherRead) ? 0 : 0o007)
    hidden.withLock { hidden in
      guard hidden | mask != hidden else { return }
      hidden |= mask
      umask(umask(0o077) | hidden)
    }
  }
}
