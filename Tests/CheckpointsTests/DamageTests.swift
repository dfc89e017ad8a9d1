import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// The ways in which a safetensors file can lie, each applied to a tiny valid one.
enum Damage: CaseIterable {
  case tooShort, headerOfTwoToThe63, headerLongerThanFile, headerNotJSON, headerNotUTF8, headerNotAnObject
  case missingType, missingShape, missingOffsets, threeOffsets, unknownType, negativeDimension, fractionalDimension
  case shapeOverflow, shapeOverflowBehindZero, offsetsOutOfRange, negativeOffset, offsetsReversed, overlap, gap,
    gapAtStart
  case trailingBytes, sizeTooSmall, sizeTooLarge, truncated, repeatedTensor

  /// Two tensors: "first" of shape [2, 3] in BF16 at 0 to 12, "second" of shape [4] in F32 at 12 to 28.
  static let first = #""first": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}"#
  static let second = #""second": {"dtype": "F32", "shape": [4], "data_offsets": [12, 28]}"#
  static let data = (0..<28).map(UInt8.init)
  static let valid = safetensors(header: "{\(first), \(second)}", data: data)

  var bytes: [UInt8] {
    func second(_ old: String, _ new: String) -> [UInt8] {
      let changed = Self.second.replacing(old, with: new)
      precondition(changed != Self.second)
      return safetensors(header: "{\(Self.first), \(changed)}", data: Self.data)
    }
    return switch self {
    case .tooShort: Array(Self.valid.prefix(7))
    case .headerOfTwoToThe63: littleEndian(1 << 63) + Self.valid.dropFirst(8)
    case .headerLongerThanFile: littleEndian(UInt64(Self.valid.count - 7)) + Self.valid.dropFirst(8)
    case .headerNotJSON: safetensors(header: "{\(Self.first), ", data: Self.data)
    case .headerNotUTF8: Self.valid[..<10] + [0xFF] + Self.valid[11...]
    case .headerNotAnObject: safetensors(header: "[1, 2]", data: Self.data)
    case .missingType: second(#""dtype": "F32", "#, "")
    case .missingShape: second(#""shape": [4], "#, "")
    case .missingOffsets: second(#", "data_offsets": [12, 28]"#, "")
    case .threeOffsets: second("[12, 28]", "[12, 28, 28]")
    case .unknownType: second("F32", "F31")
    case .negativeDimension: second("[4]", "[-4]")
    case .fractionalDimension: second("[4]", "[4.5]")
    case .shapeOverflow: second("[4]", "[4294967296, 4294967296]")
    case .shapeOverflowBehindZero: second("[4]", "[4294967296, 4294967296, 0]")
    case .offsetsOutOfRange: second("[12, 28]", "[12, 9223372036854775807]")
    case .negativeOffset: second("[12, 28]", "[-12, 4]")
    case .offsetsReversed: second("[12, 28]", "[28, 12]")
    case .overlap: second(#"[4], "data_offsets": [12, 28]"#, #"[5], "data_offsets": [8, 28]"#)
    case .gap: second(#"[4], "data_offsets": [12, 28]"#, #"[3], "data_offsets": [16, 28]"#)
    case .gapAtStart: safetensors(header: "{\(Self.second)}", data: Self.data)
    case .trailingBytes: Self.valid + [0]
    case .sizeTooSmall: second("[4]", "[5]")
    case .sizeTooLarge: second("[4]", "[3]")
    case .truncated: Self.valid.dropLast()
    case .repeatedTensor: safetensors(header: "{\(Self.first), \(Self.first)}", data: Array(Self.data[..<12]))
    }
  }
}

extension Damage {
  var code: CheckpointError.Code {
    switch self {
    case .tooShort, .headerLongerThanFile, .offsetsOutOfRange, .negativeOffset, .offsetsReversed, .truncated: .truncated
    case .unknownType: .unknownType
    case .overlap: .overlapping
    default: .malformed
    }
  }

  /// The tensor that the error must name, where one is at fault.
  var tensor: String? {
    switch self {
    case .tooShort, .headerOfTwoToThe63, .headerLongerThanFile, .headerNotJSON, .headerNotUTF8, .headerNotAnObject,
      .trailingBytes:
      nil
    case .repeatedTensor: "first"
    default: "second"
    }
  }
}

struct DamageTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path("tiny.safetensors") }

  init() throws { folder = try TemporaryFolder() }

  private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
    try Data(bytes).write(to: folder["tiny.safetensors"])
    return try SafetensorsFile(path: path)
  }

  @Test func theUndamagedFileIsRead() throws {
    let file = try open(Damage.valid)
    #expect(file.entries.map(\.name) == ["first", "second"])
    #expect(file.entries.map(\.type) == ["BF16", "F32"])
    #expect(file.entries.map(\.shape) == [[2, 3], [4]])
    let start = Damage.valid.count - Damage.data.count
    #expect(file.entries.map(\.bytes) == [start..<start + 12, start + 12..<start + 28])
  }

  @Test(arguments: Damage.allCases) func refuses(_ damage: Damage) {
    expectRefusal(damage.code, naming: path, damage.tensor ?? "") { _ = try open(damage.bytes) }
  }

  /// Whatever one byte of length or header becomes, the answer is a file or an error: never a crash, and never a tensor
  /// that reaches outside the file.
  @Test func everyByteOfTheHeaderMayBeAnything() throws {
    for position in 0..<Damage.valid.count - Damage.data.count {
      for value in [0x00, 0x22, 0x2C, 0x2D, 0x39, 0x5B, 0x7D, 0x80, 0xFF] as [UInt8] {
        var bytes = Damage.valid
        bytes[position] = value
        do {
          let file = try open(bytes)
          #expect(file.entries.allSatisfy { $0.bytes.upperBound <= bytes.count })
        } catch is CheckpointError {}
      }
    }
  }

  @Test func everyPrefixIsRefused() throws {
    for count in 0..<Damage.valid.count {
      #expect(throws: CheckpointError.self) { try open(Array(Damage.valid.prefix(count))) }
    }
  }

  /// What is odd but true: no tensors, a scalar, a tensor without elements, metadata, entries in another order.
  @Test func oddFilesAreRead() throws {
    #expect(try open(safetensors(header: "{}", data: [])).entries.isEmpty)
    let header =
      #"{"__metadata__": {"format": "pt"}, "b": {"dtype": "U8", "shape": [], "data_offsets": [1, 2]}, "#
      + #""none": {"dtype": "F32", "shape": [0, 7], "data_offsets": [1, 1]}, "#
      + #""a": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}   "#
    let file = try open(safetensors(header: header, data: [1, 2]))
    #expect(file.entries.map(\.name) == ["a", "none", "b"])
  }

  /// A name from a file must not reach the terminal as it is.
  @Test func controlCharactersOfANameAreNotPrinted() {
    let header = #"{"evil\n\u001b[2Jname": {"dtype": "F31", "shape": [], "data_offsets": [0, 4]}}"#
    let error = #expect(throws: CheckpointError.self) { try open(safetensors(header: header, data: [0, 0, 0, 0])) }
    #expect(error?.description.unicodeScalars.contains { $0.properties.generalCategory == .control } == false)
    expectRefusal(.unknownType, naming: "evil", "name") {
      _ = try open(safetensors(header: header, data: [0, 0, 0, 0]))
    }
  }

  @Test func filesThatCannotBeOpened() {
    expectRefusal(.notFound, naming: folder.path("absent")) { _ = try SafetensorsFile(path: folder.path("absent")) }
    expectRefusal(.unreadable, naming: folder.url.path) { _ = try SafetensorsFile(path: folder.url.path) }
  }
}
