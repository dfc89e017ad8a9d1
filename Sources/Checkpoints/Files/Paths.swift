internal import FoundationEssentials
internal import Glibc
internal import SystemPackage

// Paths are texts, as people give them. Their parts are told by `FilePath`.

/// The last part of a path; the path itself, if it has none.
package func fileName(_ path: String) -> String { filePath(path).lastComponent?.string ?? path }

/// The folder that a path's last part lies in: "." for a bare name, the root for the root.
package func parentFolder(of path: String) -> String {
  let parent = filePath(path).removingLastComponent()
  return parent.isEmpty ? "." : parent.string
}

/// The nearest folder above a path that is there; "." if none of those it names is.
package func nearestFolder(above path: String) -> String {
  var folder = filePath(path)
  while folder.removeLastComponent(), !folder.isEmpty {
    if FileManager.default.fileExists(atPath: folder.string) { return folder.string }
  }
  return "."
}

/// Whether there is a folder at a path.
package func isFolder(_ path: String) -> Bool {
  var isFolder = false
  return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
}

/// The path from the root, with links and ".." as they stand.
func absolutePath(_ path: String) -> String {
  let whole = filePath(FileManager.default.currentDirectoryPath).pushing(filePath(path))
  return FilePath(root: "/", whole.components.filter { $0.kind != .currentDirectory }).string
}

/// The path with links resolved, as far as it exists. Beyond that, ".." takes back the part before it: that part may be
/// made before the path is used.
func resolvedPath(_ path: String) -> String {
  let absolute = absolutePath(path)
  if let resolved = realPath(absolute) { return resolved }
  let parent = parentFolder(of: absolute)
  guard parent != absolute else { return absolute }
  return filePath(resolvedPath(parent)).pushing(filePath(fileName(absolute))).lexicallyNormalized().string
}

/// - Throws: `CheckpointError` if an output would be one of the inputs, or lie in one that is a folder.
package func refuseInputs(at target: String, _ inputs: [String]) throws(CheckpointError) {
  let resolved = resolvedPath(target)
  for input in inputs {
    let source = resolvedPath(input)
    guard resolved != source, !resolved.hasPrefix(source + "/") else {
      let place = resolved != source ? "in \(input), " : target == input ? "" : "\(input), "
      throw CheckpointError(
        .exists, file: target, "it is \(place)an original that stays as it is; give another name")
    }
  }
}

/// A path as seen from a folder, so that a tree of files can be moved as a whole. Links are resolved where the paths
/// exist.
package func relativePath(to target: String, from folder: String) -> String {
  func components(_ path: String) -> [FilePath.Component] {
    Array(filePath(realPath(path) ?? absolutePath(path)).lexicallyNormalized().components)
  }
  let (a, b) = (components(target), components(folder))
  let shared = zip(a, b).prefix { $0 == $1 }.count
  let steps = Array(repeating: "..", count: b.count - shared) + a.dropFirst(shared).map(\.string)
  return steps.isEmpty ? "." : steps.joined(separator: "/")
}

/// The path of an existing file or folder from the root, without links; nil if there is none. `realpath`
package func realPath(_ path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}

/// The path in parts. It ends at a zero byte, as it does for the system: `FilePath` itself takes no such text.
private func filePath(_ path: String) -> FilePath { path.withCString { FilePath(platformString: $0) } }
