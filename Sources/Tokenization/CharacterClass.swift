/// The classes that GPT-2's pattern distinguishes.
///
/// As of Unicode 16, which the regular expressions of Hugging Face tokenizers 0.23 know: characters assigned later are
/// `other`, whatever the Unicode version of Swift's library.
enum CharacterClass: Sendable {
  /// `\p{L}`
  case letter
  /// `\p{N}`
  case number
  /// `\s`, the Unicode property White_Space
  case space
  case other

  init(_ scalar: Unicode.Scalar) {
    if scalar.isASCII {
      self = Self.ascii[Int(scalar.value)]
    } else if scalar.value < Self.basicPlane.count {
      self = Self.basicPlane[Int(scalar.value)]
    } else {
      self.init(consulting: scalar.properties)
    }
  }

  private init(consulting properties: Unicode.Scalar.Properties) {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = properties.isWhitespace ? .space : .other
    }
    if let age = properties.age, age.major > 16 { self = .other }
  }

  private static let ascii = (UInt32(0)..<0x80).map(consulting)

  /// The classes of the Basic Multilingual Plane, looked up once: to consult Swift's properties costs more than all
  /// else about a character.
  private static let basicPlane = (UInt32(0)..<0x10000).map(consulting)

  private static func consulting(_ code: UInt32) -> CharacterClass {
    Unicode.Scalar(code).map { CharacterClass(consulting: $0.properties) } ?? .other
  }
}

extension Unicode.Scalar {
  /// Rust's `char::is_numeric`, as of Unicode 17.
  var isNumeric: Bool {
    if isASCII { return ("0"..."9").contains(self) }
    switch properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: return true
    default: return false
    }
  }

  /// `\p{P}`, as of Unicode 16 like ``CharacterClass``.
  var isPunctuation: Bool {
    switch properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return properties.age.map { $0.major <= 16 } ?? true
    default: return false
    }
  }

  /// `\w` of Rust's regex crate (Unicode Technical Standard 18, annex C).
  var isWordCharacter: Bool {
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
}
