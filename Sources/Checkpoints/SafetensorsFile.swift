/// One safetensors file: eight bytes of header length, a JSON header, and the tensors' bytes back to back.
///
/// Everything the header says is checked before any of it is used, by the rules of the format's own library: lengths
/// within the file, shapes that multiply without overflow to the number of bytes, tensors that neither overlap nor
/// leave gaps. Source: github.com/huggingface/safetensors, "Format".
package struct SafetensorsFile: Sendable {
  package struct Entry: Sendable {
    package let name: String
    package let type: String
    package let shape: [Int]
    /// Counted from the beginning of the file.
    package let bytes: Range<Int>
  }

  package let file: MappedFile
  package let entries: [Entry]
  package let headerBytes: Range<Int>

  package static let maximumHeaderLength = 100_000_000

  /// The format's types and the bits of an element. Numbers of fewer than eight are packed; a tensor of them fills
  /// whole bytes. Source: safetensors 0.8, src/tensor.rs (`Dtype`).
  static let bitCounts: [String: Int] = [
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
  ]

  package init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    try file.refuseGitLFSPointer()
    self.file = file
    let length = file.withBytes { $0.count >= 8 ? UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) : nil }
    guard let length else {
      throw CheckpointError(.truncated, file: path, "\(file.byteCount) bytes are too few for a safetensors file")
    }
    guard length <= Self.maximumHeaderLength else {
      throw CheckpointError(
        .malformed, file: path, offset: 0,
        "the header claims \(length) bytes, more than the \(Self.maximumHeaderLength) allowed; not a safetensors file?")
    }
    let dataStart = 8 + Int(length)
    guard dataStart <= file.byteCount else {
      throw CheckpointError(
        .truncated, file: path, offset: 0,
        "the header claims \(length) bytes but the file ends after \(file.byteCount - 8); download it again")
    }
    headerBytes = 8..<dataStart
    let header: JSON
    do throws(JSON.SyntaxError) {
      header = try parsedJSON(file, 8..<dataStart)
    } catch {
      throw CheckpointError(.malformed, file: path, offset: 8 + error.offset, "the header is \(error.description)")
    }
    guard let members = header.members else {
      throw CheckpointError(.malformed, file: path, offset: 8, "the header is not a JSON object")
    }
    var entries: [Entry] = []
    for member in members where member.key != "__metadata__" {
      entries.append(try Self.entry(member, dataStart: dataStart, file: file))
    }
    entries.sort { ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound) }
    try Self.refuseOverlapsAndGaps(entries, dataStart: dataStart, file: file)
    self.entries = entries
  }

  private static func entry(
    _ member: JSON.Member, dataStart: Int, file: MappedFile
  ) throws(CheckpointError) -> Entry {
    func error(_ code: CheckpointError.Code, _ problem: String) -> CheckpointError {
      CheckpointError(code, file: file.path, tensor: member.key, problem)
    }
    guard let type = member.value["dtype"]?.string, let dimensions = member.value["shape"]?.array,
      let offsets = member.value["data_offsets"]?.array, offsets.count == 2,
      let begin = offsets[0].integer, let end = offsets[1].integer
    else { throw error(.malformed, "its header entry needs dtype, shape and two data_offsets") }
    guard let elementBits = bitCounts[type] else {
      throw error(.unknownType, "the type \(type) is not one of safetensors'")
    }
    var shape: [Int] = []
    var bitCount = elementBits
    for dimension in dimensions {
      guard let dimension = dimension.integer, dimension >= 0 else {
        throw error(.malformed, "a dimension is not a whole number of at least 0")
      }
      let (product, overflow) = bitCount.multipliedReportingOverflow(by: dimension)
      guard !overflow else { throw error(.malformed, "its shape has more bits than can be counted") }
      shape.append(dimension)
      bitCount = product
    }
    guard bitCount.isMultiple(of: 8) else {
      throw error(.malformed, "its shape \(shape) in \(type) does not fill whole bytes")
    }
    let byteCount = bitCount / 8
    let dataBytes = file.byteCount - dataStart
    guard begin >= 0, begin <= end, end <= dataBytes else {
      throw error(.truncated, "its bytes \(begin) to \(end) lie outside the file's \(dataBytes) bytes of tensors")
    }
    guard end - begin == byteCount else {
      throw error(.malformed, "its shape \(shape) in \(type) needs \(byteCount) bytes but it has \(end - begin)")
    }
    return Entry(name: member.key, type: type, shape: shape, bytes: dataStart + begin..<dataStart + end)
  }

  private static func refuseOverlapsAndGaps(
    _ entries: [Entry], dataStart: Int, file: MappedFile
  ) throws(CheckpointError) {
    var end = dataStart
    for entry in entries {
      guard entry.bytes.lowerBound >= end else {
        throw CheckpointError(
          .overlapping, file: file.path, tensor: entry.name, offset: entry.bytes.lowerBound,
          "its bytes overlap those of another tensor")
      }
      guard entry.bytes.lowerBound == end else {
        throw CheckpointError(
          .malformed, file: file.path, tensor: entry.name, offset: end, "a gap lies before its bytes")
      }
      end = entry.bytes.upperBound
    }
    guard end == file.byteCount else {
      throw CheckpointError(.malformed, file: file.path, offset: end, "bytes of no tensor follow the last one")
    }
  }
}

func parsedJSON(
  _ file: MappedFile, _ range: Range<Int>, allowsNonFinite: Bool = false
) throws(JSON.SyntaxError) -> JSON {
  try file.withBytes { bytes throws(JSON.SyntaxError) in
    try JSON(parsing: UnsafeRawBufferPointer(rebasing: bytes[range]), allowsNonFinite: allowsNonFinite)
  }
}
