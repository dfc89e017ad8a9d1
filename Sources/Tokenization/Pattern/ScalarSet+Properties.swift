extension ScalarSet {
  /// `\p{…}`: a general category (`Lu`), a group of them (`L`), or the script Han; nil for any other name.
  init?(property name: String) {
    if name == "Han" {
      self = Self.han
      return
    }
    let members = zip(CategoryTable.names, Self.categories).filter { category, _ in
      category == name || name.utf8.count == 1 && category.hasPrefix(name)
    }
    guard !members.isEmpty else { return nil }
    self.init(members.flatMap(\.1))
  }

  /// `\s`: White_Space.
  static let space = ScalarSet(separators.ranges + [0x09...0x0D, 0x85...0x85])

  /// `\d`
  static let digit = ScalarSet(categories("Nd"))

  /// `\w`: letters, marks, decimal digits, numbers written as letters, connecting punctuation, and letters in circles
  /// `\w` in a class: letters, marks, decimal digits, numbers written as letters, connecting punctuation, and letters
  /// in circles and squares.
  static let wordInClass = ScalarSet(
    categories("L", "M", "Nd", "Nl", "Pc")
      + [0x24B6...0x24E9, 0x1F130...0x1F149, 0x1F150...0x1F169, 0x1F170...0x1F189])

  /// `\w` outside: Oniguruma counts ², ³, ¹, ¼, ½ and ¾ as well.
  static let word = ScalarSet(wordInClass.ranges + [0xB2...0xB3, 0xB9...0xB9, 0xBC...0xBE])

  /// `\h`
  static let hexadecimalDigit = ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66])

  static let newline = ScalarSet("\n")

  private static let separators = ScalarSet(categories("Z"))

  /// The script Han, of Unicode 16.
  private static let han = ScalarSet([
    0x2E80...0x2E99, 0x2E9B...0x2EF3, 0x2F00...0x2FD5, 0x3005...0x3005, 0x3007...0x3007, 0x3021...0x3029,
    0x3038...0x303B, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFA6D, 0xFA70...0xFAD9, 0x16FE2...0x16FE3,
    0x16FF0...0x16FF1, 0x20000...0x2A6DF, 0x2A700...0x2B739, 0x2B740...0x2B81D, 0x2B820...0x2CEA1, 0x2CEB0...0x2EBE0,
    0x2EBF0...0x2EE5D, 0x2F800...0x2FA1D, 0x30000...0x3134A, 0x31350...0x323AF,
  ])

  private static func categories(_ names: String...) -> [ClosedRange<UInt32>] {
    zip(CategoryTable.names, categories).filter { category, _ in names.contains { category.hasPrefix($0) } }
      .flatMap(\.1)
  }

  /// The ranges of each category, in the order of `CategoryTable.names`.
  private static let categories: [[ClosedRange<UInt32>]] = {
    var result = [[ClosedRange<UInt32>]](repeating: [], count: CategoryTable.names.count)
    var (category, count, start) = (0, UInt32(0), UInt32(0))
    func endRun() {
      let length = max(1, count)
      result[category].append(start...start + length - 1)
      (start, count) = (start + length, 0)
    }
    for (index, byte) in CategoryTable.runs.utf8.enumerated() {
      if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        count = 10 * count + UInt32(byte - UInt8(ascii: "0"))
        continue
      }
      if index > 0 { endRun() }
      category = byte < UInt8(ascii: "a") ? Int(byte - UInt8(ascii: "A")) : Int(byte - UInt8(ascii: "a")) + 26
    }
    endRun()
    return result
  }()

  // MARK: Letters of either case

  /// `(?i:…)` of a set of ASCII: with the letters of the other case, and the two letters beyond ASCII that fold to
  /// one of them, ſ and the Kelvin sign.
  var foldingCase: ScalarSet {
    var result = ranges
    for letter in UInt32(0x41)...0x5A {
      let forms = [letter, letter | 0x20] + (letter == 0x53 ? [0x17F] : letter == 0x4B ? [0x212A] : [])
      let isThere = forms.contains { form in ranges.contains { $0.contains(form) } }
      if isThere { result += forms.map { $0...$0 } }
    }
    return ScalarSet(result)
  }
}
