import CheckpointFixtures
import Checkpoints
import Foundation
import Tensors
import Testing

/// The ways in which a GGUF file can lie, each applied to a tiny valid one.
enum GGUFDamage: CaseIterable {
  case empty, otherMagic, versionOne, bigEndian, versionFour
  case tensorCountTooLarge, tensorCountBeyondIntegers, memberCountTooLarge, memberCountTooSmall
  case keyEmpty, keyTooLong, keyNotUTF8, keyRepeated, keyLengthOverflow, valueTypeUnknown
  case textLongerThanFile, textOfTwoToThe64, arrayLongerThanFile, arrayOverflow, arrayOfUnknownType, arraysTooDeep
  case textsMoreThanBytes
  case nameEmpty, nameTooLong, nameRepeated, fiveDimensions, dimensionTooLarge, shapeOverflow, shapeOverflowBehindZero
  case typeUnknown, typeOnlyInMemory, rowsNoWholeBlocks
  case offsetMisaligned, offsetOutOfRange, offsetOfTwoToThe63, overlap, truncated
  case alignmentZero, alignmentNoPowerOfTwo, alignmentHuge, alignmentText

  var bytes: [UInt8] {
    var file = TinyGGUF.valid
    switch self {
    case .empty: return []
    case .otherMagic: file.magic = "GGML"
    case .versionOne: file.version = 1
    case .bigEndian: file.version = UInt32(3).byteSwapped
    case .versionFour: file.version = 4
    case .tensorCountTooLarge: file.tensorCount = 1 << 20
    case .tensorCountBeyondIntegers: file.tensorCount = .max
    case .memberCountTooLarge: file.memberCount = 1 << 62
    case .memberCountTooSmall: file.memberCount = 3
    case .keyEmpty: file.members[1].key = ""
    case .keyTooLong: file.members[1].key = String(repeating: "k", count: 65_536)
    case .keyNotUTF8: return replacing("number", with: [0xFF] + Array("umber".utf8))
    case .keyRepeated: file.members[1].key = "words"
    case .keyLengthOverflow: return replacing("\u{6}\0\0\0\0\0\0\0number", with: Array(repeating: 0xFF, count: 14))
    case .valueTypeUnknown: file.members[1].type = 13
    case .textLongerThanFile: file.members[0].value = TinyGGUF.bytes(UInt64(1 << 30)) + Array("llama".utf8)
    case .textOfTwoToThe64: file.members[0].value = TinyGGUF.bytes(UInt64.max) + Array("llama".utf8)
    case .arrayLongerThanFile: file.members[2].value = TinyGGUF.bytes(UInt32(6)) + TinyGGUF.bytes(UInt64(1 << 40))
    case .arrayOverflow: file.members[2].value = TinyGGUF.bytes(UInt32(12)) + TinyGGUF.bytes(UInt64(1) << 61)
    case .arrayOfUnknownType: file.members[2].value = TinyGGUF.bytes(UInt32(77)) + TinyGGUF.bytes(UInt64(0))
    case .arraysTooDeep:
      let opening = TinyGGUF.bytes(UInt32(9)) + TinyGGUF.bytes(UInt64(1))
      file.members[2].value = (0..<5).flatMap { _ in opening } + TinyGGUF.bytes(UInt32(0)) + TinyGGUF.bytes(UInt64(0))
    case .textsMoreThanBytes: file.members[2].value = TinyGGUF.bytes(UInt32(8)) + TinyGGUF.bytes(UInt64(1000))
    case .nameEmpty: file.tensors[1].name = ""
    case .nameTooLong: file.tensors[1].name = String(repeating: "n", count: 257)
    case .nameRepeated: file.tensors[1].name = "one"
    case .fiveDimensions: file.tensors[1].dimensions = [32, 2, 1, 1, 1]
    case .dimensionTooLarge: file.tensors[1].dimensions = [1 << 63, 2]
    case .shapeOverflow: file.tensors[1].dimensions = [1 << 32, 1 << 32]
    case .shapeOverflowBehindZero: file.tensors[1].dimensions = [0, 1 << 32, 1 << 32]
    case .typeUnknown: file.tensors[1].type = 99
    case .typeOnlyInMemory: file.tensors[1].type = 15
    case .rowsNoWholeBlocks: file.tensors[1].dimensions = [16, 4]
    case .offsetMisaligned: file.tensors[1].offset = 260
    case .offsetOutOfRange: file.tensors[1].offset = 1 << 20
    case .offsetOfTwoToThe63: file.tensors[1].offset = 1 << 63
    case .overlap: file.tensors[1].offset = 224
    case .truncated: file.data.removeLast()
    case .alignmentZero: file.members[1] = .init("general.alignment", type: 4, TinyGGUF.bytes(UInt32(0)))
    case .alignmentNoPowerOfTwo: file.members[1] = .init("general.alignment", type: 4, TinyGGUF.bytes(UInt32(48)))
    case .alignmentHuge: file.members[1] = .init("general.alignment", type: 10, TinyGGUF.bytes(UInt64(1) << 62))
    case .alignmentText: file.members[1] = .init("general.alignment", type: 8, TinyGGUF.text("32"))
    }
    return file.bytes
  }

  private func replacing(_ old: String, with new: [UInt8]) -> [UInt8] {
    var bytes = TinyGGUF.valid.bytes
    let place = bytes.indices.first { bytes[$0...].starts(with: old.utf8) }
    precondition(place != nil && new.count == old.utf8.count)
    bytes.replaceSubrange((place ?? 0)..<(place ?? 0) + new.count, with: new)
    return bytes
  }

  var code: CheckpointError.Code {
    switch self {
    case .empty, .tensorCountTooLarge, .tensorCountBeyondIntegers, .memberCountTooLarge, .textLongerThanFile,
      .textOfTwoToThe64, .arrayLongerThanFile, .arrayOverflow, .textsMoreThanBytes, .offsetOutOfRange,
      .offsetOfTwoToThe63, .truncated:
      .truncated
    case .otherMagic: .notACheckpoint
    case .versionOne, .bigEndian, .versionFour: .unsupported
    case .valueTypeUnknown, .arrayOfUnknownType, .typeUnknown, .typeOnlyInMemory: .unknownType
    case .overlap: .overlapping
    default: .malformed
    }
  }

  /// What the error must name besides the file.
  var subject: String {
    switch self {
    case .versionOne: "version 1"
    case .bigEndian: "big-endian"
    case .keyRepeated: "words"
    case .valueTypeUnknown: "number"
    case .arrayLongerThanFile, .arrayOverflow, .arrayOfUnknownType, .arraysTooDeep, .textsMoreThanBytes: "words"
    case .nameRepeated: "tensor one"
    case .fiveDimensions, .dimensionTooLarge, .shapeOverflow, .shapeOverflowBehindZero, .typeUnknown, .typeOnlyInMemory,
      .rowsNoWholeBlocks, .offsetMisaligned, .offsetOutOfRange, .offsetOfTwoToThe63:
      "tensor two"
    case .overlap: "tensor two"
    case .truncated: "tensor three"
    case .alignmentZero, .alignmentNoPowerOfTwo, .alignmentHuge, .alignmentText: "general.alignment"
    default: "byte"
    }
  }
}

struct GGUFDamageTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(_ bytes: [UInt8]) throws -> GGUFFile {
    try Data(bytes).write(to: folder["tiny.gguf"])
    return try GGUFFile(path: folder.path("tiny.gguf"))
  }

  @Test(arguments: [2, 3] as [UInt32]) func theUndamagedFileIsRead(_ version: UInt32) throws {
    var valid = TinyGGUF.valid
    valid.version = version
    let file = try open(valid.bytes)
    #expect(file.version == version)
    #expect(file.metadata.map(\.key) == ["general.architecture", "number", "words", "nested"])
    #expect(file["words"]?.strings == ["a", "bc"] && file["nested"]?.count == 1)
    #expect(file.tensors.map(\.name) == ["one", "two", "three"])
    #expect(file.tensors.map(\.type.name) == ["F32", "Q8_0", "F16"])
    #expect(file.tensors.map(\.shape) == [[2, 32], [2, 32], [2, 2, 4]])
    let start = valid.bytes.count - valid.data.count
    #expect(file.tensors.map(\.bytes) == [start..<start + 256, start + 256..<start + 324, start + 352..<start + 384])
    #expect(try file.matrix(file.tensors[2]).decoded().rows == 4)
    #expect(try file.matrix(file.tensors[2], rows: 1..<3).rows == 2)
    expectRefusal(.wrongShape, naming: "three") { _ = try file.matrix(file.tensors[2], rows: 3..<5) }
  }

  @Test(arguments: GGUFDamage.allCases) func refuses(_ damage: GGUFDamage) {
    expectRefusal(damage.code, naming: folder.path("tiny.gguf"), damage.subject) { _ = try open(damage.bytes) }
  }

  @Test func everyPrefixIsRefused() throws {
    let bytes = TinyGGUF.valid.bytes
    for count in 0..<bytes.count {
      #expect(throws: CheckpointError.self) { try open(Array(bytes.prefix(count))) }
    }
  }

  /// Whatever one byte of the header becomes, the answer is a file or an error, and no tensor reaches outside.
  @Test func everyByteOfTheHeaderMayBeAnything() throws {
    let valid = TinyGGUF.valid
    for position in 0..<valid.bytes.count - valid.data.count {
      for value in [0x00, 0x01, 0x09, 0x20, 0x7F, 0x80, 0xFF] as [UInt8] {
        var bytes = valid.bytes
        bytes[position] = value
        do {
          let file = try open(bytes)
          #expect(file.tensors.allSatisfy { $0.bytes.upperBound <= bytes.count })
        } catch is CheckpointError {}
      }
    }
  }

  /// A type that ggml has and we do not compute with: the file opens and can be copied, its numbers are refused by name.
  @Test func typesThatAreNotComputedWithAreRefusedByName() throws {
    var valid = TinyGGUF.valid
    valid.tensors[1] = .init("two", [32, 2], type: 24, offset: 256)
    let file = try open(valid.bytes)
    expectRefusal(.unsupported, naming: "tensor two", "I8", "Q4_K") { _ = try file.matrix(file.tensors[1]) }
  }
}
