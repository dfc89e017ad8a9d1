internal import FoundationEssentials
internal import Glibc

/// A path as seen from a folder, so that a tree of files can be moved as a whole. Links are resolved where the paths exist.
package func relativePath(to target: String, from folder: String) -> String {
  func components(_ path: String) -> [Substring] {
    let resolved = realpath(path, nil).map { pointer in
      defer { free(pointer) }
      return String(cString: pointer)
    }
    let absolute = resolved ?? (path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path)
    var result: [Substring] = []
    for part in absolute.split(separator: "/") where part != "." {
      if part == ".." { _ = result.popLast() } else { result.append(part) }
    }
    return result
  }
  let (a, b) = (components(target), components(folder))
  let shared = zip(a, b).prefix { $0 == $1 }.count
  let steps = Array(repeating: "..", count: b.count - shared) + a.dropFirst(shared).map(String.init)
  return steps.isEmpty ? "." : steps.joined(separator: "/")
}
