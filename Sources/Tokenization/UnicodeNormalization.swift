/// The Unicode normalization forms (Unicode Standard Annex 15), with the characters that Hugging Face tokenizers knows.
enum UnicodeNormalization: String, Sendable {
  case nfc = "NFC"
  case nfd = "NFD"
  case nfkc = "NFKC"
  case nfkd = "NFKD"

  private var composes: Bool { self == .nfc || self == .nfkc }
  private var isCompatible: Bool { self == .nfkc || self == .nfkd }

  /// ASCII is left alone, and so is what stands before U+0300 when composing: nothing there decomposes for good.
  private var firstByteChanged: UInt8 { self == .nfc ? 0xCC : 0x80 }

  /// - Complexity: linear in the text but for long runs of combining marks, which are sorted.
  func normalize(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var copied = 0
    var position = 0
    while position < text.count {
      guard text[position] >= firstByteChanged, text[position] >= 0xC0 else {
        position += 1
        continue
      }
      // A stretch from the character before, which may take a mark, to the next ASCII, which joins nothing before it.
      let start = position > copied ? text.scalar(before: position).start : position
      var end = position
      while end < text.count, text[end] >= 0x80 { end += 1 }
      result.append(contentsOf: text[copied..<start])
      for scalar in normalized(text, start..<end) {
        result.append(contentsOf: UTF8.encode(Unicode.Scalar(scalar) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter)
      }
      copied = end
      position = end
    }
    guard copied > 0 else { return text }
    result.append(contentsOf: text[copied...])
    return result
  }

  private func normalized(_ text: [UInt8], _ range: Range<Int>) -> [UInt32] {
    let tables = NormalizationMaps.shared
    var scalars: [UInt32] = []
    var position = range.lowerBound
    while position < range.upperBound {
      let (scalar, next) = text.scalar(at: position)
      tables.decompose(scalar.value, isCompatible: isCompatible, into: &scalars)
      position = next
    }
    var classes = scalars.map(Self.combiningClass)
    Self.order(&scalars, &classes)
    return composes ? Self.composed(scalars, classes, by: tables) : scalars
  }

  /// Characters assigned after Unicode 9 combine with nothing.
  private static func combiningClass(_ code: UInt32) -> UInt8 {
    // Most text of East Asia, and nothing that combines.
    if code < 0x300 || (0x3100..<0xA66F).contains(code) || (0xAC00..<0xD7B0).contains(code) { return 0 }
    guard let properties = Unicode.Scalar(code)?.properties else { return 0 }
    let value = properties.canonicalCombiningClass.rawValue
    if value != 0, let age = properties.age, age.major > 9 { return 0 }
    return value
  }

  /// Sorts each run of combining marks by class, and leaves those of one class in their order.
  private static func order(_ scalars: inout [UInt32], _ classes: inout [UInt8]) {
    var start = 0
    while start < scalars.count {
      guard classes[start] != 0 else {
        start += 1
        continue
      }
      var end = start + 1
      var isSorted = true
      while end < scalars.count, classes[end] != 0 {
        if classes[end] < classes[end - 1] { isSorted = false }
        end += 1
      }
      if !isSorted {
        let order = (start..<end).sorted { (classes[$0], $0) < (classes[$1], $1) }
        scalars.replaceSubrange(start..<end, with: order.map { [scalars] in scalars[$0] })
        classes.replaceSubrange(start..<end, with: order.map { [classes] in classes[$0] })
      }
      start = end
    }
  }

  private static func composed(_ scalars: [UInt32], _ classes: [UInt8], by tables: NormalizationMaps) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(scalars.count)
    var starter: Int?
    var lastClass: UInt8 = 0
    for (scalar, combiningClass) in zip(scalars, classes) {
      // What stands between must be of a lower class; a starter between would be the starter now.
      if let starter, lastClass == 0 || lastClass < combiningClass,
        let composite = tables.composite(of: result[starter], scalar)
      {
        result[starter] = composite
        continue
      }
      if combiningClass == 0 { starter = result.count }
      lastClass = combiningClass
      result.append(scalar)
    }
    return result
  }
}

/// `NormalizationTables` in a form to look things up in.
private struct NormalizationMaps: Sendable {
  static let shared = NormalizationMaps()

  private var canonical: [UInt32: [UInt32]] = [:]
  private var compatibility: [UInt32: [UInt32]] = [:]
  private var composites: [UInt64: UInt32] = [:]

  private init() {
    var compositeOfAll: [[UInt32]: UInt32] = [:]
    Self.forEachEntry(NormalizationTables.canonical) { code, parts, composes in
      canonical[code] = parts
      if composes, parts.count > 1 { compositeOfAll[parts] = code }
    }
    Self.forEachEntry(NormalizationTables.compatibility) { code, parts, _ in compatibility[code] = parts }
    for (parts, code) in compositeOfAll {
      guard let last = parts.last else { continue }
      let first = parts.count == 2 ? parts[0] : compositeOfAll[Array(parts.dropLast())]
      if let first { composites[Self.key(first, last)] = code }
    }
  }

  private static func forEachEntry(_ table: String, _ body: (UInt32, [UInt32], Bool) -> Void) {
    for entry in table.utf8.split(separator: UInt8(ascii: " ")) {
      let sides = entry.split(separator: UInt8(ascii: ":"))
      let composes = sides[1].last != UInt8(ascii: "!")
      let parts = sides[1].filter { $0 != UInt8(ascii: "!") }.split(separator: UInt8(ascii: ".")).map(number)
      let span = sides[0].split(separator: UInt8(ascii: "-")).map(number)
      for code in span[0]...span[span.count - 1] {
        body(code, span.count == 1 ? parts : [parts[0] + code - span[0]], composes)
      }
    }
  }

  private static func number(_ digits: some Sequence<UInt8>) -> UInt32 {
    digits.reduce(0) { $0 << 4 | UInt32($1 < 0x3A ? $1 - 0x30 : $1 - 0x37) }
  }

  private static func key(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

  func decompose(_ code: UInt32, isCompatible: Bool, into scalars: inout [UInt32]) {
    if code < 0x80 {
      scalars.append(code)
    } else if (Hangul.syllables).contains(code) {
      let index = code - Hangul.syllables.lowerBound
      scalars.append(Hangul.leads.lowerBound + index / Hangul.trailCount / Hangul.vowelCount)
      scalars.append(Hangul.vowels.lowerBound + index / Hangul.trailCount % Hangul.vowelCount)
      if index % Hangul.trailCount > 0 { scalars.append(Hangul.trailBase + index % Hangul.trailCount) }
    } else if isCompatible, let parts = compatibility[code] {
      scalars.append(contentsOf: parts)
    } else if let parts = canonical[code] {
      scalars.append(contentsOf: parts)
    } else {
      scalars.append(code)
    }
  }

  func composite(of first: UInt32, _ second: UInt32) -> UInt32? {
    if Hangul.leads.contains(first), Hangul.vowels.contains(second) {
      let lead = first - Hangul.leads.lowerBound
      let vowel = second - Hangul.vowels.lowerBound
      return Hangul.syllables.lowerBound + (lead * Hangul.vowelCount + vowel) * Hangul.trailCount
    }
    if Hangul.syllables.contains(first), (first - Hangul.syllables.lowerBound) % Hangul.trailCount == 0,
      second > Hangul.trailBase, second < Hangul.trailBase + Hangul.trailCount
    {
      return first + second - Hangul.trailBase
    }
    return composites[Self.key(first, second)]
  }

  /// Syllables are made of a lead, a vowel and perhaps a trail (Unicode Standard, 3.12).
  private enum Hangul {
    static let syllables: Range<UInt32> = 0xAC00..<0xD7A4
    static let leads: Range<UInt32> = 0x1100..<0x1113
    static let vowels: Range<UInt32> = 0x1161..<0x1176
    static let trailBase: UInt32 = 0x11A7
    static let vowelCount: UInt32 = 21
    static let trailCount: UInt32 = 28
  }
}
