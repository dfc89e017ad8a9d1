internal import Glibc

/// Opens a new file for reading and writing that has no name: it is gone when its descriptor is closed and nothing maps it.
///
/// - Returns: The descriptor; below zero, with the reason in errno, if the folder takes no file.
package func openNamelessFile(in folder: String) -> Int32 {
  var name = "\(folder)/.scratch.XXXXXX".utf8CString.map(\.self)
  let descriptor = mkstemp(&name)
  guard descriptor >= 0 else { return descriptor }
  unlink(name)
  _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  return descriptor
}
