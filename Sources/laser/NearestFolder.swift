internal import FoundationEssentials

/// The nearest folder above a path that is there.
func nearestFolder(above path: String) -> String {
  var parts = path.split(separator: "/", omittingEmptySubsequences: false)[...]
  while let last = parts.popLast() {
    let folder = parts.count == 1 && parts[0].isEmpty ? "/" : parts.joined(separator: "/")
    if !last.isEmpty, !folder.isEmpty, FileManager.default.fileExists(atPath: folder) { return folder }
  }
  return "."
}
