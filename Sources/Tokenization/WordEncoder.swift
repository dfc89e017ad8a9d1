/// Encodes the words of one text, remembering those it has seen.
struct WordEncoder {
  private let model: BytePairModel
  private let isByteLevel: Bool
  private let cutsAtWordStarts: Bool
  private var cache = WordCache()
  private var merger = SymbolMerger()

  init(model: BytePairModel, isByteLevel: Bool) {
    self.model = model
    self.isByteLevel = isByteLevel
    cutsAtWordStarts = !isByteLevel && model.canCutAtWordStarts
  }

  /// Appends the ids of the word at `range`.
  mutating func encode(_ text: [UInt8], _ range: Range<Int>, to ids: inout [Int32]) throws(TokenizerError) {
    guard cutsAtWordStarts else { return try encodeUncut(text, range, to: &ids) }
    if model.ignoresMerges, let id = model.vocabulary.id(of: Array(text[range])) {
      ids.append(id)
      return
    }
    // Cut before each ▁ that does not follow another.
    let marker = WordStart.bytes
    var start = range.lowerBound
    var position = start
    var followsMarker = true
    while position < range.upperBound {
      if text[position] == marker[0], text.contains(marker, at: position) {
        if !followsMarker {
          try encodeUncut(text, start..<position, to: &ids)
          start = position
        }
        followsMarker = true
        position += marker.count
      } else {
        followsMarker = false
        position += 1
      }
    }
    try encodeUncut(text, start..<range.upperBound, to: &ids)
  }

  private mutating func encodeUncut(
    _ text: [UInt8], _ range: Range<Int>, to ids: inout [Int32]
  ) throws(TokenizerError) {
    guard range.count <= WordCache.longestWord else {
      try findSymbols(text, range)
      ids.append(contentsOf: merger.symbols)
      return
    }
    let hash = WordCache.hash(text, range)
    if cache.append(text, range, hash: hash, to: &ids) { return }
    try findSymbols(text, range)
    cache.insert(text, range, hash: hash, ids: merger.symbols)
    ids.append(contentsOf: merger.symbols)
  }

  /// Leaves the word's ids in `merger.symbols`.
  private mutating func findSymbols(_ text: [UInt8], _ range: Range<Int>) throws(TokenizerError) {
    merger.symbols.removeAll(keepingCapacity: true)
    if isByteLevel {
      let spelled = ByteLevelAlphabet.spell(text[range])
      try findSymbols(spelled, 0..<spelled.count, ofWholeWord: true)
    } else {
      try findSymbols(text, range, ofWholeWord: !cutsAtWordStarts)
    }
  }

  private mutating func findSymbols(
    _ word: [UInt8], _ range: Range<Int>, ofWholeWord isWhole: Bool
  ) throws(TokenizerError) {
    if isWhole, model.ignoresMerges, let id = model.vocabulary.id(of: Array(word[range])) {
      merger.symbols.append(id)
    } else {
      try model.appendSymbols(of: word, range, to: &merger.symbols)
      merger.merge(by: model.merges)
    }
  }
}
