package import Search

/// What texts are called in reports: by their files, with as much of the folders as it takes to tell all of them apart,
/// and by their halves where one file is both searched on and held out.
package struct TextNames {
  package let search: [String]
  package let heldOut: [String]

  package init(_ outcome: SearchOutcome) {
    let (texts, heldOut) = (outcome.inputs.text.map(\.path), outcome.inputs.heldOut.map(\.path))
    guard outcome.settings.heldOut.isEmpty else {
      let names = distinctNames(texts + heldOut)
      search = Array(names.prefix(texts.count))
      self.heldOut = Array(names.dropFirst(texts.count))
      return
    }
    search = distinctNames(texts).map { $0 + ", first half" }
    self.heldOut = distinctNames(heldOut).map { $0 + ", second half" }
  }
}

/// File names, with as much of their folders as it takes to tell them apart.
func distinctNames(_ paths: [String]) -> [String] {
  let parts = paths.map { $0.split(separator: "/").map(String.init) }
  return parts.indices.map { index in
    let own = parts[index]
    guard !own.isEmpty else { return paths[index] }
    for length in 1...own.count {
      let name = own.suffix(length)
      let isShared = parts.indices.contains { $0 != index && Array(parts[$0].suffix(length)) == Array(name) }
      if !isShared || length == own.count { return name.joined(separator: "/") }
    }
    return paths[index]
  }
}
