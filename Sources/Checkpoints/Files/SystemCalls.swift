internal import CFiles
internal import Glibc
internal import SystemPackage

// What swift-system does not have, a wrapper for each call. Only here and where memory is mapped is `errno` read.

extension FileDescriptor {
  /// Returns when all that was written is on disk; for a folder, the names in it. `fsync`
  func sync() throws(Errno) { try check(fsync(rawValue)) }

  /// Locks the file for this process, or throws `Errno.wouldBlock` where another has locked it. A file system without
  /// such locks, as Lustre may be, lets everyone have it. `flock`
  func lock() throws(Errno) {
    do throws(Errno) { try check(flock(rawValue, LOCK_EX | LOCK_NB)) } catch {
      guard [.noFunction, .notSupported, .noLocks].contains(error) else { throw error }
    }
  }
}

extension Stat {
  /// When the contents changed last, in seconds since 1970.
  var modified: Double { Double(st_mtim.tv_sec) + Double(st_mtim.tv_nsec) / 1e9 }
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

/// Sets a file's modification time to now, by the clock of its file system; links are not followed. `utimensat`
func touchFile(_ path: String) { utimensat(AT_FDCWD, path, nil, AT_SYMLINK_NOFOLLOW) }

/// Whether there is a process of a number, anybody's. `kill` without a signal
func processExists(_ number: Int32) -> Bool { kill(number, 0) == 0 || errno == EPERM }

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
