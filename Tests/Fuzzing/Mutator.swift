import CheckpointFixtures

/// Damages files: bits, bytes, whole numbers of every width set to values at the edges, pieces put in, cut out,
/// repeated, and the ends of two files exchanged. Driven by a seed, so that a run can be repeated.
package struct Mutator {
  private var generator: SeededGenerator
  private let pieces: [[UInt8]]
  /// Texts to put into values: words of all formats, and the target's own.
  let words: [String]

  package static let maximumLength = 1 << 17

  package init(seed: UInt64, pieces: [[UInt8]]) {
    generator = SeededGenerator(seed: seed)
    self.pieces = pieces
    words = Self.words + pieces.compactMap { String(validating: $0, as: UTF8.self) }
  }

  /// One of the corpus, damaged in one to eight ways.
  package mutating func mutated(_ corpus: [[UInt8]]) -> [UInt8] {
    var bytes = corpus[below(corpus.count)]
    for _ in 0..<1 << below(4) { change(&bytes, corpus) }
    return bytes.count > Self.maximumLength ? Array(bytes.prefix(Self.maximumLength)) : bytes
  }

  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &generator) }

  private mutating func change(_ bytes: inout [UInt8], _ corpus: [[UInt8]]) {
    // Headers come first and are what is parsed.
    let place = below(2) == 0 ? below(min(bytes.count, 512)) : below(bytes.count)
    let length = min(bytes.count - place, 1 << below(10))
    switch below(10) {
    case 0 where !bytes.isEmpty: bytes[place] ^= 1 << below(8)
    case 1 where !bytes.isEmpty: bytes[place] = UInt8(below(256))
    case 2, 3: overwrite(&bytes, at: place, with: edge())
    case 4: bytes.insert(contentsOf: pieces.isEmpty ? edge() : pieces[below(pieces.count)], at: place)
    case 5: if !pieces.isEmpty { overwrite(&bytes, at: place, with: pieces[below(pieces.count)]) }
    case 6: bytes.removeSubrange(place..<place + length)
    case 7: bytes.insert(contentsOf: bytes[place..<place + length], at: below(bytes.count))
    case 8: bytes.removeLast(min(bytes.count, below(64)))
    default:
      let other = corpus[below(corpus.count)]
      bytes = Array(bytes.prefix(place)) + other.dropFirst(below(2) == 0 ? place : below(other.count))
    }
  }

  private func overwrite(_ bytes: inout [UInt8], at place: Int, with piece: [UInt8]) {
    for (index, byte) in piece.enumerated() where place + index < bytes.count { bytes[place + index] = byte }
  }

  /// A whole number near zero, near a power of two, or near the end of its width.
  private mutating func edge() -> [UInt8] {
    let power = UInt64(1) << UInt64(below(64))
    let value = [power, power &- 1, power &+ 1, 0 &- power, UInt64(below(64))][below(5)]
    return Array(littleEndian(value).prefix(1 << below(4)))
  }
}
