internal import Yams

/// The YAML between two lines `---` at the top of a model card, in which Hugging Face reads what a model is.
///
/// Keys are set as text, so that everything else keeps its bytes, comments and order; the result is read again, and
/// given up if it does not hold everything that was there.
package struct FrontMatter {
  private var lines: [String]

  /// The front matter of a document, if it has one, and the rest of the document.
  package static func split(_ document: String) -> (front: FrontMatter?, body: Substring) {
    let text = document.hasPrefix("\u{FEFF}") ? document.dropFirst() : document[...]
    var lines: [String] = []
    var rest = text
    while let end = rest.firstIndex(where: \.isNewline) {
      let line = rest[..<end]
      rest = rest[rest.index(after: end)...]
      let isFence = line.hasPrefix("---") && line.dropFirst(3).allSatisfy(\.isWhitespace)
      if lines.isEmpty, !isFence { break }
      lines.append(String(line))
      if lines.count > 1, isFence { return (FrontMatter(lines: Array(lines.dropFirst().dropLast())), rest) }
    }
    return (nil, text)
  }

  package init() { lines = [] }

  private init(lines: [String]) { self.lines = lines }

  package var text: String { "---\n" + lines.map { $0 + "\n" }.joined() + "---\n" }

  /// The text of a key, or the texts that it lists; none for anything else.
  package func texts(_ key: String) -> [String] {
    guard let value = Self.mapping(lines)?[key] else { return [] }
    if let items = value.sequence { return items.compactMap(\.string) }
    return value.scalar.flatMap { $0.string.isEmpty || $0.string == "null" || $0.string == "~" ? nil : [$0.string] }
      ?? []
  }

  /// Sets keys that are not there, and adds to lists what they lack.
  package mutating func merge(values: [(key: String, value: String)], lists: [(key: String, value: String)]) {
    guard let before = Self.mapping(lines) else { return }  // not YAML: left to its author
    var result = self
    for (key, value) in values where before[key] == nil { result.lines.append("\(key): \(yamlScalar(value))") }
    for (key, value) in lists {
      guard let now = Self.mapping(result.lines) else { return }
      result.add(value, to: key, now: now[key])
    }
    guard let after = Self.mapping(result.lines), Self.keepsEverything(before, in: after) else { return }
    self = result
  }

  /// Sets a key to a block of lines, whatever it was; no lines take it away.
  package mutating func replace(_ key: String, with block: [String]) {
    guard let before = Self.mapping(lines) else { return }
    var result = self
    let new = block.isEmpty ? [] : ["\(key):"] + block
    if before[key] == nil {
      result.lines += new
    } else {
      guard let range = range(of: key) else { return }
      result.lines.replaceSubrange(range, with: new)
    }
    guard let after = Self.mapping(result.lines), (after[key] == nil) == block.isEmpty,
      Self.keepsEverything(before.filter { $0.key != key }, in: after)
    else { return }
    self = result
  }

  private mutating func add(_ value: String, to key: String, now: Node?) {
    switch now {
    case nil: lines += ["\(key):", "- " + yamlScalar(value)]
    case .scalar(let scalar)?:
      guard scalar.string != value, let range = range(of: key) else { return }
      let isNull = scalar.string.isEmpty || scalar.string == "null" || scalar.string == "~"
      let items = isNull ? [value] : [scalar.string, value]
      lines.replaceSubrange(range, with: ["\(key):"] + items.map { "- " + yamlScalar($0) })
    case .sequence(let sequence)?:
      let items = sequence.compactMap(\.string)
      guard items.count == sequence.count, !items.contains(value), let range = range(of: key) else { return }
      if let last = range.last(where: { $0 > range.lowerBound && Self.isItem(lines[$0]) }) {
        lines.insert(lines[last].prefix(while: \.isWhitespace) + "- " + yamlScalar(value), at: last + 1)
      } else {
        lines.replaceSubrange(range, with: ["\(key):"] + (items + [value]).map { "- " + yamlScalar($0) })
      }
    default: return
    }
  }

  private static func isItem(_ line: String) -> Bool { line.drop(while: \.isWhitespace).hasPrefix("- ") }

  /// The lines of a key and its value.
  private func range(of key: String) -> Range<Int>? {
    guard let start = lines.firstIndex(where: { $0.hasPrefix(key + ":") }) else { return nil }
    let end = lines[(start + 1)...].firstIndex { line in
      line.first.map { !" \t-#".contains($0) } ?? false
    }
    return start..<(end ?? lines.endIndex)
  }

  /// Nil for what is not YAML, or no mapping; an empty text is an empty mapping.
  private static func mapping(_ lines: [String]) -> [String: Node]? {
    guard let root = try? Yams.compose(yaml: lines.joined(separator: "\n")) else {
      return lines.allSatisfy { $0.allSatisfy(\.isWhitespace) } ? [:] : nil
    }
    guard let mapping = root.mapping else { return nil }
    var result: [String: Node] = [:]
    for (key, value) in mapping {
      guard let key = key.string, result.updateValue(value, forKey: key) == nil else { return nil }
    }
    return result
  }

  private static func keepsEverything(_ before: [String: Node], in after: [String: Node]) -> Bool {
    before.allSatisfy { key, old in
      guard let new = after[key] else { return false }
      if new == old { return true }
      let items = new.sequence.map { $0.compactMap(\.string) } ?? []
      if let sequence = old.sequence { return sequence.allSatisfy { $0.string.map(items.contains) ?? false } }
      return old.scalar.map {
        items.contains($0.string) || $0.string.isEmpty || $0.string == "null" || $0.string == "~"
      }
        ?? false
    }
  }
}
