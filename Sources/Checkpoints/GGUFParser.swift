/// Reads what comes before the tensors' bytes in a GGUF file, and checks all of it: `GGUFFile` says against what.
struct GGUFParser {
  private let file: MappedFile
  private var cursor: ByteCursor

  /// What the file says.
  struct Contents {
    let version: UInt32
    let metadata: [GGUFFile.Member]
    let tensors: [GGUFFile.Tensor]
    let alignment: Int
    let headerByteCount: Int
  }

  init(file: MappedFile, bytes: UnsafeRawBufferPointer) {
    self.file = file
    cursor = ByteCursor(bytes)
  }

  /// A tensor's description: what stands in the header, with its place still relative to the data section.
  private struct Description {
    let name: String
    let type: GGUFTensorType
    let shape: [Int]
    let byteCount: Int
    let offset: UInt64
    let position: Int
  }

  mutating func parse() throws(CheckpointError) -> Contents {
    let version = try self.version()
    // The least that one takes: name or key, type, and a byte of value or dimensions and offset.
    let tensorCount = try count("tensors", least: 8 + 4 + 4 + 8)
    let metadataCount = try count("metadata values", least: 8 + 4 + 1)
    let metadata = try self.metadata(metadataCount)
    let alignment = try self.alignment(metadata)
    let descriptions = try self.descriptions(tensorCount)
    let end = cursor.position
    let tensors = try placed(descriptions, alignment: alignment)
    return Contents(
      version: version, metadata: metadata, tensors: tensors, alignment: alignment, headerByteCount: end)
  }

  private func failure(
    _ code: CheckpointError.Code, tensor: String? = nil, at offset: Int? = nil, _ problem: String
  ) -> CheckpointError {
    CheckpointError(code, file: file.path, tensor: tensor, offset: offset ?? cursor.position, problem)
  }

  private func truncated(_ what: String) -> CheckpointError {
    failure(.truncated, "the file ends within \(what); download it again")
  }

  private mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _ what: String, as type: Value.Type = Value.self
  ) throws(CheckpointError) -> Value {
    guard let value = cursor.integer(as: type) else { throw truncated(what) }
    return value
  }

  private mutating func version() throws(CheckpointError) -> UInt32 {
    guard let magic = cursor.take(4) else { throw truncated("the first four bytes") }
    guard magic.elementsEqual("GGUF".utf8) else {
      throw failure(.notACheckpoint, at: 0, "it does not begin with \"GGUF\", so it is no GGUF file")
    }
    let version = try integer("the version", as: UInt32.self)
    switch version {
    case 2, 3: return version
    case 1: throw failure(.unsupported, at: 4, "it is GGUF version 1; convert it with a current llama.cpp")
    case _ where (1...3).contains(version.byteSwapped):
      throw failure(.unsupported, at: 4, "it is a big-endian GGUF file; only little-endian ones can be read")
    default: throw failure(.unsupported, at: 4, "GGUF version \(version) is not known; versions 2 and 3 are")
    }
  }

  /// A number of things to come, which must fit into what is left of the file.
  private mutating func count(_ what: String, least: Int) throws(CheckpointError) -> Int {
    let position = cursor.position
    let count = try integer("the number of \(what)", as: UInt64.self)
    guard count <= cursor.remaining / least else {
      throw failure(.truncated, at: position, "it claims \(count) \(what), more than its bytes can hold")
    }
    return Int(count)
  }

  private mutating func text(
    _ what: String, maximumLength: Int
  ) throws(CheckpointError) -> String {
    let position = cursor.position
    let length = try integer("the length of \(what)", as: UInt64.self)
    guard (1...UInt64(maximumLength)).contains(length) else {
      throw failure(.malformed, at: position, "\(what) has \(length) bytes; 1 to \(maximumLength) are allowed")
    }
    guard let bytes = cursor.take(length) else { throw truncated(what) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw failure(.malformed, at: position, "\(what) is not UTF-8")
    }
    return text
  }

  // MARK: Metadata

  private mutating func metadata(_ count: Int) throws(CheckpointError) -> [GGUFFile.Member] {
    var result: [GGUFFile.Member] = []
    var keys: Set<String> = []
    for _ in 0..<count {
      let position = cursor.position
      let key = try text("the key of a metadata value", maximumLength: GGUFFile.maximumKeyLength)
      guard keys.insert(key).inserted else {
        throw failure(.malformed, at: position, "the metadata key \"\(key)\" occurs twice")
      }
      let type = try valueType(key)
      let start = cursor.position
      try skipValue(type, of: key, depth: 0)
      result.append(
        GGUFFile.Member(key: key, value: GGUFValue(type: type, encoded: file.region(start..<cursor.position))))
    }
    return result
  }

  private mutating func valueType(_ key: String) throws(CheckpointError) -> GGUFValueType {
    let position = cursor.position
    let number = try integer("the type of \"\(key)\"", as: UInt32.self)
    guard let type = GGUFValueType(rawValue: number) else {
      throw failure(.unknownType, at: position, "the metadata value \"\(key)\" has the unknown type \(number)")
    }
    return type
  }

  private mutating func skipValue(_ type: GGUFValueType, of key: String, depth: Int) throws(CheckpointError) {
    switch type {
    case .array: try skipArray(of: key, depth: depth + 1)
    case .string:
      guard cursor.text() != nil else { throw truncated("the text \"\(key)\"") }
    default:
      guard let size = type.byteCount, cursor.take(UInt64(size)) != nil else { throw truncated("\"\(key)\"") }
    }
  }

  private mutating func skipArray(of key: String, depth: Int) throws(CheckpointError) {
    guard depth <= GGUFFile.maximumArrayDepth else {
      throw failure(.malformed, "the arrays of \"\(key)\" are nested deeper than \(GGUFFile.maximumArrayDepth) levels")
    }
    let type = try valueType(key)
    // Nothing, or a length, or a type and a length.
    let least = type.byteCount ?? (type == .string ? 8 : 12)
    let count = try self.count("elements of \"\(key)\"", least: least)
    if let size = type.byteCount {
      guard cursor.take(UInt64(count), of: size) != nil else { throw truncated("\"\(key)\"") }
    } else {
      for _ in 0..<count { try skipValue(type, of: key, depth: depth) }
    }
  }

  private func alignment(_ metadata: [GGUFFile.Member]) throws(CheckpointError) -> Int {
    guard let value = metadata.first(where: { $0.key == "general.alignment" })?.value else {
      return GGUFFile.defaultAlignment
    }
    guard let alignment = value.integer, (1...GGUFFile.maximumAlignment).contains(alignment),
      alignment & (alignment - 1) == 0
    else {
      throw failure(
        .malformed, "\"general.alignment\" is not a power of two from 1 to \(GGUFFile.maximumAlignment)")
    }
    return alignment
  }

  // MARK: Tensors

  private mutating func descriptions(_ count: Int) throws(CheckpointError) -> [Description] {
    var result: [Description] = []
    var names: Set<String> = []
    for _ in 0..<count {
      let description = try self.description()
      guard names.insert(description.name).inserted else {
        throw failure(
          .malformed, tensor: description.name, at: description.position, "two tensors have this name")
      }
      result.append(description)
    }
    return result
  }

  private mutating func description() throws(CheckpointError) -> Description {
    let position = cursor.position
    let name = try text("the name of a tensor", maximumLength: GGUFFile.maximumNameLength)
    let what = "the description of tensor \(name)"
    let dimensionCount = try integer(what, as: UInt32.self)
    guard dimensionCount <= GGUFFile.maximumDimensions else {
      throw failure(
        .malformed, tensor: name, at: position,
        "it has \(dimensionCount) dimensions; at most \(GGUFFile.maximumDimensions) are allowed")
    }
    var dimensions: [Int] = []
    for _ in 0..<dimensionCount {
      let dimension = try integer(what, as: UInt64.self)
      guard let dimension = Int(exactly: dimension) else {
        throw failure(.malformed, tensor: name, at: position, "its dimension \(dimension) is too large")
      }
      dimensions.append(dimension)
    }
    let typeNumber = try integer(what, as: UInt32.self)
    guard let type = GGUFTensorType(number: typeNumber) else {
      throw failure(.unknownType, tensor: name, at: position, "its type \(typeNumber) is not known")
    }
    let offset = try integer(what, as: UInt64.self)
    let shape = Array(dimensions.reversed())
    guard let byteCount = type.byteCount(shape: shape) else {
      throw failure(
        .malformed, tensor: name, at: position,
        "its shape \(shape) in \(type.name) has more bytes than can be counted, or rows that are no whole blocks")
    }
    return Description(
      name: name, type: type, shape: shape, byteCount: byteCount, offset: offset, position: position)
  }

  /// The tensors in the order of their descriptions, each found to lie within the file and to overlap no other.
  private func placed(_ descriptions: [Description], alignment: Int) throws(CheckpointError) -> [GGUFFile.Tensor] {
    let dataStart = aligned(cursor.position, to: alignment)
    var result: [GGUFFile.Tensor] = []
    for description in descriptions {
      func failure(_ code: CheckpointError.Code, _ problem: String) -> CheckpointError {
        self.failure(code, tensor: description.name, at: description.position, problem)
      }
      guard description.offset % UInt64(alignment) == 0 else {
        throw failure(.malformed, "its offset \(description.offset) is no multiple of the alignment \(alignment)")
      }
      let available = max(0, file.byteCount - dataStart)
      guard description.offset <= available, description.byteCount <= available - Int(description.offset) else {
        throw failure(
          .truncated,
          "its \(description.byteCount) bytes at offset \(description.offset) reach beyond the file's \(available) of tensors"
        )
      }
      let start = dataStart + Int(description.offset)
      result.append(
        GGUFFile.Tensor(
          name: description.name, type: description.type, shape: description.shape,
          bytes: start..<start + description.byteCount))
    }
    try refuseOverlaps(result)
    return result
  }

  private func refuseOverlaps(_ tensors: [GGUFFile.Tensor]) throws(CheckpointError) {
    var end = 0
    let ordered = tensors.filter { !$0.bytes.isEmpty }.sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
    for tensor in ordered {
      guard tensor.bytes.lowerBound >= end else {
        throw failure(
          .overlapping, tensor: tensor.name, at: tensor.bytes.lowerBound, "its bytes overlap those of another tensor")
      }
      end = tensor.bytes.upperBound
    }
  }
}
