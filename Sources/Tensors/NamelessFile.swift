internal import Glibc
package import SystemPackage

/// Opens a new file for reading and writing that has no name: it is gone when its descriptor is closed and nothing maps
/// it. `mkstemp`, whose name is removed at once: not every file system has O_TMPFILE.
///
/// - Throws: `Errno` if the folder takes no file.
package func openNamelessFile(in folder: String) throws(Errno) -> FileDescriptor {
  var name = "\(folder)/.scratch.XXXXXX".utf8CString.map(\.self)
  let descriptor = mkstemp(&name)
  guard descriptor >= 0 else { throw Errno(rawValue: errno) }
  unlink(name)
  _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  return FileDescriptor(rawValue: descriptor)
}
