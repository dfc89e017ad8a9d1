/// Finds the matches of a ``PatternProgram`` in stretches of one text: the leftmost, and of several there the one that
/// the order of alternatives and the kinds of repeats prefer.
///
/// It goes back to the latest choice where the way ends, as Oniguruma does. An expression made to take forever runs
/// out of `steps` instead.
struct PatternMatcher {
  /// The text of which stretches are searched, in UTF-8.
  let text: [UInt8]
  private let program: PatternProgram
  private var steps: Int
  private var stretch = 0..<0
  /// The choices that are open.
  private var choices: [Choice] = []

  private struct Choice {
    let node: Int
    var position: Int
    /// Of alternatives: a mask of those not tried. Of a greedy run: the least place it may give back to. Of a lazy one:
    /// how many more it may take.
    var rest: UInt64
  }

  /// What a text may take: two hundred times what ordinary expressions do, and a tenth of a second.
  private static let stepsOfAnyText = 20_000_000
  private static let stepsOfAByte = 1000

  init(_ program: PatternProgram, text: [UInt8], steps: Int? = nil) {
    self.program = program
    self.text = text
    self.steps = steps ?? Self.stepsOfAnyText + Self.stepsOfAByte * text.count
  }

  /// The first match that starts at `position` or behind it, in a stretch of the text that is all there is to the
  /// expression.
  mutating func firstMatch(from position: Int, in stretch: Range<Int>) throws(PatternError) -> Range<Int>? {
    self.stretch = stretch
    try refuseEndlessSearch()
    var position = position
    while true {
      while position < stretch.upperBound, !program.canStart[Int(text[position])] { position += 1 }
      if position == stretch.upperBound, !program.canStart[256] { return nil }
      // A place within a character is none.
      if position == stretch.upperBound || text[position] & 0xC0 != 0x80 {
        if let end = try matchEnd(of: Int(program.start), from: position) { return position..<end }
      }
      guard position < stretch.upperBound else { return nil }
      position += 1
    }
  }

  /// Where the match of the node's part that starts at `position` ends; nil if there is none.
  private mutating func matchEnd(of first: Int, from start: Int) throws(PatternError) -> Int? {
    let nodes = program.nodes
    let open = choices.count
    var (index, position) = (first, start)
    while true {
      steps -= 1
      let node = nodes[index]
      var fits = true
      switch node.kind {
      case .accept:
        if choices.count > open { choices.removeSubrange(open...) }
        return position
      case .set:
        if let end = endOfScalar(at: position, in: node.set) { position = end } else { fits = false }
      case .possessiveRun:
        if let end = runEnd(node, from: position) { position = end } else { fits = false }
      case .greedyRun:
        let least = leastEnd(node, from: position)
        if let end = runEnd(node, from: position) {
          if end > least { choices.append(Choice(node: index, position: end, rest: UInt64(least))) }
          position = end
        } else {
          fits = false
        }
      case .lazyRun:
        if let end = runEnd(node, from: position, atMost: node.minimum) {
          position = end
          choices.append(Choice(node: index, position: end, rest: UInt64(node.maximum - node.minimum)))
        } else {
          fits = false
        }
      case .alternatives:
        let byte = position < stretch.upperBound ? Int(text[position]) : 256
        let mask = program.viable[Int(node.table) + byte]
        guard mask != 0 else {
          fits = false
          break
        }
        let rest = mask & (mask - 1)
        if rest != 0 { choices.append(Choice(node: index, position: position, rest: rest)) }
        index = Int(program.branches[Int(node.part) + mask.trailingZeroBitCount])
        continue
      case .peek: fits = endOfScalar(at: position, in: node.set) != nil
      case .peekNot: fits = endOfScalar(at: position, in: node.set) == nil
      case .lookAhead: fits = try matchEnd(of: Int(node.part), from: position) != nil
      case .lookAheadNot: fits = try matchEnd(of: Int(node.part), from: position) == nil
      case .atomic:
        if let end = try matchEnd(of: Int(node.part), from: position) { position = end } else { fits = false }
      case .assertion: fits = holds(program.assertions[Int(node.set)], at: position)
      }
      if fits {
        index = Int(node.next)
        continue
      }
      try refuseEndlessSearch()
      guard let (next, place) = takeChoice(above: open) else { return nil }
      (index, position) = (next, place)
    }
  }

  private func refuseEndlessSearch() throws(PatternError) {
    guard steps > 0 else {
      throw PatternError(problem: "more backtracking than a text of \(text.count) bytes is worth")
    }
  }

  /// Takes the latest choice: where to go on, and from which place in the text.
  private mutating func takeChoice(above open: Int) -> (node: Int, position: Int)? {
    while choices.count > open {
      let last = choices.count - 1
      let choice = choices[last]
      let node = program.nodes[choice.node]
      switch node.kind {
      case .alternatives:
        let rest = choice.rest & (choice.rest - 1)
        if rest == 0 { choices.removeLast() } else { choices[last].rest = rest }
        return (Int(program.branches[Int(node.part) + choice.rest.trailingZeroBitCount]), choice.position)
      case .greedyRun:
        var position = choice.position - 1
        while text[position] & 0xC0 == 0x80 { position -= 1 }
        if position > Int(choice.rest) { choices[last].position = position } else { choices.removeLast() }
        return (Int(node.next), position)
      default:
        // A lazy run takes one more.
        guard choice.rest > 0, let end = endOfScalar(at: choice.position, in: node.set) else {
          choices.removeLast()
          continue
        }
        choices[last].position = end
        if node.maximum != PatternProgram.endless { choices[last].rest -= 1 }
        return (Int(node.next), end)
      }
    }
    return nil
  }

  // MARK: Characters

  /// Where the character at `position` ends, if it is in the set.
  @inline(__always)
  private func endOfScalar(at position: Int, in set: Int32) -> Int? {
    guard position < stretch.upperBound else { return nil }
    let byte = text[position]
    if byte < 0x80 {
      let word = program.sets.ascii[2 * Int(set) + Int(byte >> 6)]
      return word >> UInt64(byte & 63) & 1 != 0 ? position + 1 : nil
    }
    let (scalar, end) = text.scalar(at: position)
    return contains(scalar, set) ? end : nil
  }

  @inline(__always)
  private func contains(_ scalar: Unicode.Scalar, _ set: Int32) -> Bool {
    let page = Int(program.sets.pages[Int(set) * ScalarMaps.pageCount + Int(scalar.value >> 8)])
    return program.sets.bits[4 * page + Int(scalar.value >> 6 & 3)] >> UInt64(scalar.value & 63) & 1 != 0
  }

  /// Where the run from `position` on ends, as long as it can be; nil where it is shorter than its minimum.
  @inline(__always)
  private mutating func runEnd(_ node: PatternProgram.Node, from start: Int, atMost limit: Int32? = nil) -> Int? {
    let maximum = limit ?? node.maximum
    let ascii = (program.sets.ascii[2 * Int(node.set)], program.sets.ascii[2 * Int(node.set) + 1])
    var (position, count) = (start, Int32(0))
    while count < maximum, position < stretch.upperBound {
      let byte = text[position]
      if byte < 0x80 {
        guard (byte < 64 ? ascii.0 : ascii.1) >> UInt64(byte & 63) & 1 != 0 else { break }
        position += 1
      } else {
        let (scalar, end) = text.scalar(at: position)
        guard contains(scalar, node.set) else { break }
        position = end
      }
      count &+= 1
    }
    steps -= position - start
    return count >= node.minimum ? position : nil
  }

  /// Where a run of the least length from `position` on ends, if there is one so long.
  private func leastEnd(_ node: PatternProgram.Node, from start: Int) -> Int {
    var position = start
    for _ in 0..<node.minimum where position < stretch.upperBound { position = text.scalar(at: position).end }
    return position
  }

  // MARK: Places

  private func holds(_ assertion: PatternSyntax.Assertion, at position: Int) -> Bool {
    let isAtEnd = position == stretch.upperBound
    switch assertion {
    case .textStart: return position == stretch.lowerBound
    case .textEnd: return isAtEnd
    case .lineStart: return position == stretch.lowerBound || !isAtEnd && isBehind(.newline, position)
    case .lineEnd: return isAtEnd || text[position] == UInt8(ascii: "\n")
    case .lastLineEnd:
      return isAtEnd || position + 1 == stretch.upperBound && text[position] == UInt8(ascii: "\n")
    case .wordBoundary(let negated):
      let isInWord = !isAtEnd && ScalarSet.word.contains(text.scalar(at: position).scalar)
      return (isBehind(.word, position) != isInWord) != negated
    case .behind(let set, let negated): return isBehind(set, position) != negated
    }
  }

  /// Whether the character before `position` is in the set.
  private func isBehind(_ set: ScalarSet, _ position: Int) -> Bool {
    position > stretch.lowerBound && set.contains(text.scalar(before: position).scalar)
  }
}
