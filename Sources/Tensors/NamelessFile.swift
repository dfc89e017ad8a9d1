internal import Glibc
package import SystemPackage

/// Opens a new file for reading and writing that has no name: it is gone when its descriptor is closed and nothing maps
/// it, and a process that dies leaves nothing. Where the file system has no such files (NFS), its name is removed at once.
///
/// - Throws: `Errno` if the folder takes no file.
package func openNamelessFile(in folder: String) throws(Errno) -> FileDescriptor {
  // O_TMPFILE, a macro that Swift does not see: __O_TMPFILE | O_DIRECTORY.
  let nameless = open(folder, 0o20000000 | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o600)
  if nameless >= 0 { return FileDescriptor(rawValue: nameless) }
  var name = "\(folder)/.scratch.XXXXXX".utf8CString.map(\.self)
  let descriptor = mkstemp(&name)
  guard descriptor >= 0 else { throw Errno(rawValue: errno) }
  unlink(name)
  _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  return FileDescriptor(rawValue: descriptor)
}

/// Bytes that may be written to a path's disk; nil where the system does not say.
package func freeDisk(at path: String) -> Int? {
  var status = statvfs()
  guard statvfs(path, &status) == 0 else { return nil }
  let (bytes, overflows) = Int(clamping: status.f_bavail).multipliedReportingOverflow(
    by: Int(clamping: status.f_frsize))
  return overflows ? nil : bytes
}
