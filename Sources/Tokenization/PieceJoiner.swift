/// Puts together the pieces of a text from the matches and what lies between, stretch by stretch.
struct PieceJoiner {
  private let behavior: PatternSplit.Behavior
  /// Where the pieces end that are complete.
  var result: [Int] = []
  private var open: Range<Int>?
  private var previousIsMatch = false
  private var removed: [Range<Int>] = []

  init(_ behavior: PatternSplit.Behavior) { self.behavior = behavior }

  /// Takes what follows in the stretch; a match may be empty.
  @inline(__always)
  mutating func append(_ part: Range<Int>, isMatch: Bool) {
    if behavior == .isolated {
      if !part.isEmpty { result.append(part.upperBound) }
      return
    }
    join(part, isMatch: isMatch)
  }

  private mutating func join(_ part: Range<Int>, isMatch: Bool) {
    let joins =
      switch behavior {
      case .isolated, .removed: false
      case .contiguous: isMatch == previousIsMatch
      case .mergedWithPrevious: isMatch && !previousIsMatch
      case .mergedWithNext: !isMatch && previousIsMatch
      }
    previousIsMatch = isMatch
    if joins, let start = open?.lowerBound {
      open = start..<part.upperBound
      return
    }
    closePiece()
    if behavior == .removed, isMatch { removed.append(part) } else { open = part }
  }

  private mutating func closePiece() {
    if let piece = open, !piece.isEmpty { result.append(piece.upperBound) }
    open = nil
  }

  /// Nothing is joined over the end of a stretch.
  mutating func endStretch() {
    closePiece()
    previousIsMatch = false
  }

  /// The pieces, adjoining: what is removed between them is no longer in the bytes.
  func text(of bytes: [UInt8]) -> SplitText {
    guard removed.contains(where: { !$0.isEmpty }) else { return SplitText(bytes: bytes, ends: result) }
    var text = SplitText(bytes: [], ends: [])
    var gaps = removed[...]
    var (position, lost) = (0, 0)
    func copy(upTo end: Int) {
      while let gap = gaps.first, gap.upperBound <= end {
        text.bytes += bytes[position..<gap.lowerBound]
        lost += gap.count
        position = gap.upperBound
        gaps.removeFirst()
      }
      text.bytes += bytes[position..<end]
      position = end
    }
    for end in result {
      copy(upTo: end)
      text.ends.append(end - lost)
    }
    return text
  }
}
