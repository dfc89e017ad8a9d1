/// A short name for some bytes: equal names mean equal bytes unless someone forges them. FNV-1a, 64 bits.
package struct Fingerprint: Sendable, Equatable, CustomStringConvertible {
  private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

  package init() {}

  package mutating func update(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  package mutating func update(_ text: String) {
    update(text.utf8)
    update(CollectionOfOne(0))  // so that "ab" + "c" is not "a" + "bc"
  }

  package var description: String {
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
