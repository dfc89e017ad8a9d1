/// A regular expression as a graph of nodes, for ``PatternMatcher`` to walk.
///
/// What costs time at a match is done here once: sets become bit maps, alternatives and the search know which bytes
/// they can begin with, and a repeat knows when giving back what it took cannot help.
struct PatternProgram: Sendable {
  enum Kind: UInt8, Sendable {
    /// The end of the pattern, or of the part that a look or an atomic group tries.
    case accept
    case set
    /// A set, `minimum` to `maximum` times. All three run as far as they can or, if lazy, must.
    case greedyRun, possessiveRun, lazyRun
    case alternatives
    /// `(?=.)` and `(?!.)` of one set.
    case peek, peekNot
    case lookAhead, lookAheadNot, atomic
    case assertion
  }

  struct Node: Sendable {
    var kind: Kind
    /// Of `sets`; of `assertions` for an assertion.
    var set: Int32 = 0
    var minimum: Int32 = 1
    var maximum: Int32 = 1
    var next: Int32 = 0
    /// The first node of a part; of alternatives, the first of `branches`.
    var part: Int32 = 0
    /// Of alternatives: how many, and the first of `viable`.
    var count: Int32 = 0
    var table: Int32 = 0
  }

  static let endless = Int32.max
  /// Several times what any tokenizer's expression needs.
  static let largestNodeCount = 1024
  static let largestSetCount = 128
  /// As many as a mask has bits.
  static let mostBranches = 64

  private(set) var nodes: [Node] = []
  private(set) var branches: [Int32] = []
  /// For each alternatives node and each byte, and for the end of the text behind these: the branches that can match.
  private(set) var viable: [UInt64] = []
  private(set) var assertions: [PatternSyntax.Assertion] = []
  private(set) var sets = ScalarMaps()
  private(set) var start: Int32 = 0
  /// For each byte whether a match can begin with it, and behind these whether one can at the end of the text.
  private(set) var canStart: [Bool] = []

  init(_ syntax: PatternSyntax) throws(PatternError) {
    let end = try add(Node(kind: .accept))
    start = try compile(syntax, next: end)
    for index in nodes.indices { nodes[index].kind = improved(nodes[index]) }
    for index in nodes.indices where nodes[index].kind == .alternatives { fillTable(of: index) }
    canStart = leadBytes(from: start)
  }

  private mutating func add(_ node: Node) throws(PatternError) -> Int32 {
    guard nodes.count < Self.largestNodeCount else {
      throw PatternError(problem: "more than \(Self.largestNodeCount) parts, with its repeats written out,")
    }
    nodes.append(node)
    return Int32(nodes.count - 1)
  }

  private mutating func index(of set: ScalarSet) throws(PatternError) -> Int32 {
    guard let index = sets.insert(set, atMost: Self.largestSetCount) else {
      throw PatternError(problem: "more than \(Self.largestSetCount) classes")
    }
    return Int32(index)
  }

  /// Adds the nodes of `syntax`, from which the way goes on to `next`; returns the first.
  private mutating func compile(_ syntax: PatternSyntax, next: Int32) throws(PatternError) -> Int32 {
    switch syntax {
    case .set(let set): return try add(Node(kind: .set, set: try index(of: set), next: next))
    case .sequence(let parts):
      var next = next
      for part in parts.reversed() { next = try compile(part, next: next) }
      return next
    case .alternatives(let options):
      var entries: [Int32] = []
      for option in options.prefix(Self.mostBranches - 1) { entries.append(try compile(option, next: next)) }
      let rest = Array(options.dropFirst(Self.mostBranches - 1))
      if !rest.isEmpty { entries.append(try compile(rest.count == 1 ? rest[0] : .alternatives(rest), next: next)) }
      return try choose(entries)
    case .repeated(let body, let minimum, let maximum, let preference):
      return try compile(body, minimum, maximum, preference, next: next)
    case .atomic(let body): return try enclose(body, .atomic, next: next)
    case .lookAhead(.set(let set), let negated):
      return try add(Node(kind: negated ? .peekNot : .peek, set: try index(of: set), next: next))
    case .lookAhead(let body, let negated):
      return try enclose(body, negated ? .lookAheadNot : .lookAhead, next: next)
    case .assertion(let assertion):
      assertions.append(assertion)
      return try add(Node(kind: .assertion, set: Int32(assertions.count - 1), next: next))
    }
  }

  private mutating func enclose(_ body: PatternSyntax, _ kind: Kind, next: Int32) throws(PatternError) -> Int32 {
    let end = try add(Node(kind: .accept))
    return try add(Node(kind: kind, next: next, part: try compile(body, next: end)))
  }

  private mutating func choose(_ entries: [Int32]) throws(PatternError) -> Int32 {
    branches += entries
    return try add(
      Node(kind: .alternatives, part: Int32(branches.count - entries.count), count: Int32(entries.count)))
  }

  /// Repeats of anything but a set are written out, and end in a loop where there is no maximum.
  private mutating func compile(
    _ body: PatternSyntax, _ minimum: Int, _ maximum: Int?, _ preference: PatternSyntax.Preference, next: Int32
  ) throws(PatternError) -> Int32 {
    if case .set(let set) = body {
      let kind: Kind = preference == .greedy ? .greedyRun : preference == .lazy ? .lazyRun : .possessiveRun
      return try add(
        Node(
          kind: kind, set: try index(of: set), minimum: Int32(minimum),
          maximum: maximum.map { Int32($0) } ?? Self.endless,
          next: next))
    }
    if preference == .possessive {
      return try enclose(.repeated(body, minimum: minimum, maximum: maximum, .greedy), .atomic, next: next)
    }
    func inOrder(_ again: Int32, _ on: Int32) -> [Int32] { preference == .lazy ? [on, again] : [again, on] }
    var entry = next
    var copies = minimum
    if let maximum {
      for _ in 0..<maximum - minimum { entry = try choose(inOrder(try compile(body, next: entry), next)) }
    } else {
      let loop = try choose(inOrder(next, next))
      let first = try compile(body, next: loop)
      let order = inOrder(first, next)
      for (offset, branch) in order.enumerated() { branches[Int(nodes[Int(loop)].part) + offset] = branch }
      entry = minimum > 0 ? first : loop
      copies = max(0, minimum - 1)
    }
    for _ in 0..<copies { entry = try compile(body, next: entry) }
    return entry
  }

  // MARK: What can follow

  /// The sets of which a scalar can come next on the ways from `node`; `ends` if one of them needs none.
  private func following(_ node: Int32) -> (sets: Set<Int32>, ends: Bool) {
    var result: (sets: Set<Int32>, ends: Bool) = ([], false)
    var seen: Set<Int32> = []
    var open = [node]
    while let index = open.popLast() {
      guard seen.insert(index).inserted else { continue }
      let node = nodes[Int(index)]
      switch node.kind {
      case .accept: result.ends = true
      case .set: result.sets.insert(node.set)
      case .greedyRun, .possessiveRun, .lazyRun:
        if node.maximum > 0 { result.sets.insert(node.set) }
        if node.minimum == 0 { open.append(node.next) }
      case .alternatives: open += branches[Int(node.part)..<Int(node.part + node.count)]
      case .peek, .peekNot, .lookAhead, .lookAheadNot, .assertion: open.append(node.next)
      case .atomic: open.append(node.part)
      }
    }
    return result
  }

  private func leadBytes(from node: Int32) -> [Bool] {
    let (following, ends) = following(node)
    guard !ends else { return [Bool](repeating: true, count: 257) }
    var result = [Bool](repeating: false, count: 257)
    for set in following {
      for (byte, isLead) in sets.leadBytes[Int(set)].enumerated() where isLead { result[byte] = true }
    }
    return result
  }

  private mutating func fillTable(of index: Int) {
    let node = nodes[index]
    nodes[index].table = Int32(viable.count)
    var masks = [UInt64](repeating: 0, count: 257)
    for offset in 0..<Int(node.count) {
      for (byte, isViable) in leadBytes(from: branches[Int(node.part) + offset]).enumerated() where isViable {
        masks[byte] |= 1 << UInt64(offset)
      }
    }
    viable += masks
  }

  /// A greedy run that never gives back anything with success is possessive: where all that can follow cannot fail, or
  /// is not in the set.
  private func improved(_ node: Node) -> Kind {
    guard node.kind == .greedyRun else { return node.kind }
    var next = nodes[Int(node.next)]
    while [.greedyRun, .possessiveRun].contains(next.kind), next.minimum == 0 { next = nodes[Int(next.next)] }
    if next.kind == .accept { return .possessiveRun }
    let (following, ends) = following(node.next)
    let own = sets.members[Int(node.set)]
    let isDisjoint = !ends && following.allSatisfy { sets.members[Int($0)].isDisjoint(with: own) }
    return isDisjoint ? .possessiveRun : .greedyRun
  }
}
