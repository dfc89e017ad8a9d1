extension SplitText {
  /// - Throws: `PatternError` where the pattern takes too long.
  func cutting(by split: PatternSplit) throws(PatternError) -> SplitText {
    var matcher = PatternMatcher(split.pattern.program, text: bytes)
    var cut = PieceJoiner(split.behavior)
    cut.result.reserveCapacity(bytes.count / 4)
    var start = 0
    for end in ends {
      var position = start
      try matcher.forEachMatch(in: start..<end) { match in
        if position < match.lowerBound { cut.append(position..<match.lowerBound, isMatch: split.inverts) }
        cut.append(match, isMatch: !split.inverts)
        position = match.upperBound
      }
      if position < end { cut.append(position..<end, isMatch: split.inverts) }
      cut.endStretch()
      start = end
    }
    return cut.text(of: bytes)
  }
}
