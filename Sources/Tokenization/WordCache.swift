/// Words already encoded, with their ids.
///
/// An open-addressing table that looks at no more than `longestProbe` slots: a text made to collide is only not cached.
struct WordCache {
  private struct Slot {
    var hash: UInt64 = 0
    var bytes: Range<Int> = 0..<0
    var ids: Range<Int> = 0..<0
  }

  /// Longer words rarely come again.
  static let longestWord = 64
  private static let longestProbe = 8
  private static let largestCapacity = 1 << 18

  private var slots = [Slot](repeating: Slot(), count: 1 << 8)
  private var used = 0
  private var bytes: [UInt8] = []
  private var ids: [Int32] = []

  /// FNV-1a, with its high bits folded onto the low ones that choose the slot.
  static func hash(_ text: [UInt8], _ range: Range<Int>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for index in range { hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01B3 }
    return hash ^ hash >> 32
  }

  /// Appends the word's ids and returns true, if they are known.
  func append(_ text: [UInt8], _ range: Range<Int>, hash: UInt64, to output: inout [Int32]) -> Bool {
    for probe in 0..<Self.longestProbe {
      let slot = slots[Int(truncatingIfNeeded: hash &+ UInt64(probe)) & (slots.count - 1)]
      if slot.bytes.isEmpty { return false }
      if slot.hash == hash, matches(slot.bytes, text, range) {
        for index in slot.ids { output.append(ids[index]) }
        return true
      }
    }
    return false
  }

  private func matches(_ stored: Range<Int>, _ text: [UInt8], _ range: Range<Int>) -> Bool {
    guard stored.count == range.count else { return false }
    for offset in 0..<range.count where bytes[stored.lowerBound + offset] != text[range.lowerBound + offset] {
      return false
    }
    return true
  }

  mutating func insert(_ text: [UInt8], _ range: Range<Int>, hash: UInt64, ids newIDs: [Int32]) {
    if used * 2 >= slots.count {
      guard slots.count < Self.largestCapacity else { return }
      grow()
    }
    let word = bytes.count..<bytes.count + range.count
    let place = ids.count..<ids.count + newIDs.count
    guard Self.store(Slot(hash: hash, bytes: word, ids: place), in: &slots) else { return }
    bytes.append(contentsOf: text[range])
    ids.append(contentsOf: newIDs)
    used += 1
  }

  private static func store(_ slot: Slot, in slots: inout [Slot]) -> Bool {
    for probe in 0..<longestProbe {
      let index = Int(truncatingIfNeeded: slot.hash &+ UInt64(probe)) & (slots.count - 1)
      if slots[index].bytes.isEmpty {
        slots[index] = slot
        return true
      }
    }
    return false
  }

  private mutating func grow() {
    var larger = [Slot](repeating: Slot(), count: 4 * slots.count)
    used = 0
    for slot in slots where !slot.bytes.isEmpty && Self.store(slot, in: &larger) { used += 1 }
    slots = larger
  }
}
