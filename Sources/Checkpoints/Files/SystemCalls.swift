internal import CFiles
internal import Glibc
internal import SystemPackage

// What swift-system does not have, a wrapper for each call. Only here and where memory is mapped is `errno` read.

extension FileDescriptor {
  /// Returns when all that was written is on disk; for a folder, the names in it. `fsync`
  func sync() throws(Errno) { try check(fsync(rawValue)) }

  /// Locks the file for this process, or throws `Errno.wouldBlock` where another has locked it. `flock`
  func lock() throws(Errno) { try check(flock(rawValue, LOCK_EX | LOCK_NB)) }

  /// Locks the file beside others who only read it, or throws `Errno.wouldBlock` where another has locked it. `flock`
  func lockShared() throws(Errno) { try check(flock(rawValue, LOCK_SH | LOCK_NB)) }
}

/// Gives a file or folder another name, in place of what has that name. `rename`
func renameFile(_ old: String, to new: String) throws(Errno) { try check(rename(old, new)) }

/// Gives each of two files or folders the other's name, at once: at no time is one of the names without its file.
/// `renameat2`
func exchangeFiles(_ a: String, _ b: String) throws(Errno) {
  let code = files_exchange(a, b)
  guard code == 0 else { throw Errno(rawValue: code) }
}

/// What is at a path itself, a link and not what it leads to; nil if there is nothing. `lstat`
func status(of path: String) -> Stat? {
  // `FilePath` takes no text with a zero byte.
  path.withCString { try? Stat($0, followTargetSymlink: false) }
}

/// Makes a folder in one that is there. `mkdir`
func makeSingleFolder(_ path: String) throws(Errno) { try check(mkdir(path, 0o777)) }

/// Removes a file that is no longer of use, if it is there. `unlink`
func removeFile(_ path: String) { unlink(path) }

private func check(_ result: Int32) throws(Errno) {
  guard result == 0 else { throw Errno(rawValue: errno) }
}

extension CheckpointError {
  /// Runs system calls on a file. What they fail with is thrown with the file's path.
  static func naming<R>(
    _ path: String, as code: Code = .unwritable, offset: Int? = nil, _ calls: () throws -> R
  ) throws(CheckpointError) -> R {
    do { return try calls() } catch {
      throw error as? CheckpointError ?? CheckpointError(code, file: path, offset: offset, "\(error)")
    }
  }
}
