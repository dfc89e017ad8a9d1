/// Byte strings to look for in a text, all at once.
///
/// - Complexity: a search takes time proportional to the text, and to the longest pattern where one may begin.
struct TokenTrie: Sendable {
  private var startsPattern = [Bool](repeating: false, count: 256)
  /// From node and byte to node; node 0 is the root.
  private var edges: [UInt64: Int] = [:]
  private var tokenAtNode: [Int?] = [nil]

  /// Adds a pattern. If it is there already, the first one stays. An empty pattern is never found.
  mutating func insert(_ pattern: [UInt8], _ token: Int) {
    guard let first = pattern.first else { return }
    startsPattern[Int(first)] = true
    var node = 0
    for byte in pattern {
      if let next = edges[Self.key(node, byte)] {
        node = next
      } else {
        edges[Self.key(node, byte)] = tokenAtNode.count
        node = tokenAtNode.count
        tokenAtNode.append(nil)
      }
    }
    if tokenAtNode[node] == nil { tokenAtNode[node] = token }
  }

  private static func key(_ node: Int, _ byte: UInt8) -> UInt64 { UInt64(node) << 8 | UInt64(byte) }

  /// The leftmost match at or after `start`, the longest where several begin there.
  func firstMatch(in text: [UInt8], from start: Int) -> (token: Int, range: Range<Int>)? {
    guard tokenAtNode.count > 1 else { return nil }
    for position in start..<max(start, text.count) where startsPattern[Int(text[position])] {
      var node = 0
      var end = position
      var longest: (token: Int, range: Range<Int>)?
      while end < text.count, let next = edges[Self.key(node, text[end])] {
        node = next
        end += 1
        if let token = tokenAtNode[node] { longest = (token, position..<end) }
      }
      if let longest { return longest }
    }
    return nil
  }
}
