/// The printable characters that stand for the 256 bytes in byte-level vocabularies (openai/gpt-2, `bytes_to_unicode`).
///
/// Printable Latin-1 bytes stand for themselves; the others, in order, are U+0100 and up.
enum ByteLevelAlphabet {
  private static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(next) ?? "\u{FFFD}"
      }
    }
  }()

  private static let encodings: [[UInt8]] = scalars.map { Array(String($0).utf8) }

  private static let bytes: [Unicode.Scalar: UInt8] =
    Dictionary(uniqueKeysWithValues: zip(scalars, UInt8.min...UInt8.max))

  /// `bytes` written in the alphabet, as UTF-8.
  static func spell(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var characters: [UInt8] = []
    characters.reserveCapacity(2 * bytes.count)
    for byte in bytes { characters.append(contentsOf: encodings[Int(byte)]) }
    return characters
  }

  /// The bytes that `token` spells; nil when a character of it is not of the alphabet.
  static func bytes(spelledBy token: [UInt8]) -> [UInt8]? {
    var result: [UInt8] = []
    for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
      guard let byte = bytes[scalar] else { return nil }
      result.append(byte)
    }
    return result
  }
}
