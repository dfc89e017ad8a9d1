internal import Tensors

package enum GGUFValueType: UInt32, Sendable {
  case uint8, int8, uint16, int16, uint32, int32, float32, boolean, string, array, uint64, int64, float64

  /// The bytes of a value; nil for texts and arrays, which have no fixed size.
  var byteCount: Int? {
    switch self {
    case .uint8, .int8, .boolean: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }
}

/// A value of GGUF metadata: its type, and its bytes as a file has them. It is decoded when it is asked for, so that
/// opening a file makes no copy of a vocabulary, and written again byte for byte.
package struct GGUFValue: Sendable {
  package let type: GGUFValueType
  let encoded: any ByteRegion

  init(type: GGUFValueType, encoded: any ByteRegion) {
    self.type = type
    self.encoded = encoded
  }
}

// MARK: - Reading; nil where the value is of another kind

extension GGUFValue {
  /// A whole number of any width.
  package var integer: Int? { decoded(Self.integer) }

  /// A number of any kind.
  package var number: Double? { decoded(Self.number) }

  package var boolean: Bool? {
    type == .boolean ? decoded { _, cursor in cursor.integer(as: UInt8.self).map { $0 != 0 } } : nil
  }

  package var string: String? { decoded(Self.string) }

  package var integers: [Int]? { elements(Self.integer) }

  package var numbers: [Double]? { elements(Self.number) }

  package var booleans: [Bool]? {
    elements { type, cursor in type == .boolean ? cursor.integer(as: UInt8.self).map { $0 != 0 } : nil }
  }

  package var strings: [String]? { elements(Self.string) }

  /// The number of elements of an array; nil for what is none.
  package var count: Int? {
    guard type == .array else { return nil }
    return decoded { _, cursor in
      cursor.take(4) == nil ? nil : cursor.integer(as: UInt64.self).flatMap(Int.init(exactly:))
    }
  }

  private func decoded<Result>(_ read: (GGUFValueType, inout ByteCursor) -> Result?) -> Result? {
    encoded.withBytes { bytes in
      var cursor = ByteCursor(bytes)
      return read(type, &cursor)
    }
  }

  private func elements<Element>(_ read: (GGUFValueType, inout ByteCursor) -> Element?) -> [Element]? {
    guard type == .array else { return nil }
    return decoded { _, cursor in
      guard let elementType = cursor.integer(as: UInt32.self).flatMap(GGUFValueType.init),
        let count = cursor.integer(as: UInt64.self)
      else { return nil }
      var result: [Element] = []
      for _ in 0..<count {
        guard let element = read(elementType, &cursor) else { return nil }
        result.append(element)
      }
      return result
    }
  }

  private static func integer(_ type: GGUFValueType, _ cursor: inout ByteCursor) -> Int? {
    switch type {
    case .uint8: cursor.integer(as: UInt8.self).map(Int.init)
    case .int8: cursor.integer(as: Int8.self).map(Int.init)
    case .uint16: cursor.integer(as: UInt16.self).map(Int.init)
    case .int16: cursor.integer(as: Int16.self).map(Int.init)
    case .uint32: cursor.integer(as: UInt32.self).map(Int.init)
    case .int32: cursor.integer(as: Int32.self).map(Int.init)
    case .uint64: cursor.integer(as: UInt64.self).flatMap(Int.init(exactly:))
    case .int64: cursor.integer(as: Int64.self).map(Int.init)
    case .float32, .float64, .boolean, .string, .array: nil
    }
  }

  private static func number(_ type: GGUFValueType, _ cursor: inout ByteCursor) -> Double? {
    switch type {
    case .float32: cursor.integer(as: UInt32.self).map { Double(Float(bitPattern: $0)) }
    case .float64: cursor.integer(as: UInt64.self).map(Double.init(bitPattern:))
    default: integer(type, &cursor).map(Double.init)
    }
  }

  private static func string(_ type: GGUFValueType, _ cursor: inout ByteCursor) -> String? {
    type == .string ? cursor.text().flatMap { String(validating: $0, as: UTF8.self) } : nil
  }
}

// MARK: - Making

extension GGUFValue {
  package static func uint32(_ value: UInt32) -> GGUFValue { fixed(.uint32, value) }

  package static func uint64(_ value: UInt64) -> GGUFValue { fixed(.uint64, value) }

  package static func int32(_ value: Int32) -> GGUFValue { fixed(.int32, value) }

  package static func float32(_ value: Float) -> GGUFValue { fixed(.float32, value.bitPattern) }

  package static func boolean(_ value: Bool) -> GGUFValue { fixed(.boolean, UInt8(value ? 1 : 0)) }

  package static func string(_ value: String) -> GGUFValue {
    GGUFValue(type: .string, encoded: OwnedBytes(encodedText(value)))
  }

  package static func strings(_ values: [String]) -> GGUFValue {
    array(of: .string, count: values.count, values.flatMap(encodedText))
  }

  package static func int32s(_ values: [Int32]) -> GGUFValue {
    array(of: .int32, count: values.count, values.flatMap(littleEndianBytes))
  }

  package static func float32s(_ values: [Float]) -> GGUFValue {
    array(of: .float32, count: values.count, values.flatMap { littleEndianBytes($0.bitPattern) })
  }

  private static func fixed(_ type: GGUFValueType, _ bits: some FixedWidthInteger) -> GGUFValue {
    GGUFValue(type: type, encoded: OwnedBytes(littleEndianBytes(bits)))
  }

  private static func array(of type: GGUFValueType, count: Int, _ elements: [UInt8]) -> GGUFValue {
    GGUFValue(
      type: .array,
      encoded: OwnedBytes(littleEndianBytes(type.rawValue) + littleEndianBytes(UInt64(count)) + elements))
  }
}

func littleEndianBytes(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A length in eight bytes, and the text in UTF-8.
func encodedText(_ text: String) -> [UInt8] {
  littleEndianBytes(UInt64(text.utf8.count)) + Array(text.utf8)
}
