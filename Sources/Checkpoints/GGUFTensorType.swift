package import Tensors

/// How GGUF stores a tensor's numbers. All of ggml's types have a name and a size here, so that a file holding them can
/// be checked and copied; only some can be computed with (`elementType`).
package struct GGUFTensorType: Sendable, Equatable {
  package let name: String
  let number: UInt32
  /// Numbers in a block; rows are whole blocks.
  package let blockSize: Int
  package let blockByteCount: Int

  /// The type to compute with, where there is one.
  package var elementType: ElementType? { ElementType(rawValue: name) }

  package init(_ type: ElementType) {
    guard let match = Self.all.first(where: { $0.name == type.rawValue }) else {
      preconditionFailure("GGUF has every type of ours")
    }
    self = match
  }

  init?(number: UInt32) {
    guard let match = Self.all.first(where: { $0.number == number }) else { return nil }
    self = match
  }

  private init(_ number: UInt32, _ name: String, _ blockSize: Int, _ blockByteCount: Int) {
    self.number = number
    self.name = name
    self.blockSize = blockSize
    self.blockByteCount = blockByteCount
  }

  /// Without the types that only exist while ggml computes. Source: ggml.h (`enum ggml_type`) and the sizes of
  /// ggml-common.h.
  private static let all = [
    GGUFTensorType(0, "F32", 1, 4), GGUFTensorType(1, "F16", 1, 2), GGUFTensorType(2, "Q4_0", 32, 18),
    GGUFTensorType(3, "Q4_1", 32, 20), GGUFTensorType(6, "Q5_0", 32, 22), GGUFTensorType(7, "Q5_1", 32, 24),
    GGUFTensorType(8, "Q8_0", 32, 34), GGUFTensorType(10, "Q2_K", 256, 84),
    GGUFTensorType(11, "Q3_K", 256, 110), GGUFTensorType(12, "Q4_K", 256, 144), GGUFTensorType(13, "Q5_K", 256, 176),
    GGUFTensorType(14, "Q6_K", 256, 210), GGUFTensorType(16, "IQ2_XXS", 256, 66),
    GGUFTensorType(17, "IQ2_XS", 256, 74), GGUFTensorType(18, "IQ3_XXS", 256, 98), GGUFTensorType(19, "IQ1_S", 256, 50),
    GGUFTensorType(20, "IQ4_NL", 32, 18), GGUFTensorType(21, "IQ3_S", 256, 110), GGUFTensorType(22, "IQ2_S", 256, 82),
    GGUFTensorType(23, "IQ4_XS", 256, 136), GGUFTensorType(24, "I8", 1, 1), GGUFTensorType(25, "I16", 1, 2),
    GGUFTensorType(26, "I32", 1, 4), GGUFTensorType(27, "I64", 1, 8), GGUFTensorType(28, "F64", 1, 8),
    GGUFTensorType(29, "IQ1_M", 256, 56), GGUFTensorType(30, "BF16", 1, 2), GGUFTensorType(34, "TQ1_0", 256, 54),
    GGUFTensorType(35, "TQ2_0", 256, 66), GGUFTensorType(39, "MXFP4", 32, 17), GGUFTensorType(40, "NVFP4", 64, 36),
    GGUFTensorType(41, "Q1_0", 128, 18), GGUFTensorType(42, "Q2_0", 64, 18),
  ]

  /// The bytes of a tensor; nil if they are more than can be counted, or a row is no whole number of blocks.
  func byteCount(shape: [Int]) -> Int? {
    guard (shape.last ?? 1).isMultiple(of: blockSize) else { return nil }
    var result = blockByteCount
    for (axis, dimension) in shape.enumerated() {
      let factor = axis == shape.count - 1 ? dimension / blockSize : dimension
      let (product, overflows) = result.multipliedReportingOverflow(by: factor)
      guard !overflows else { return nil }
      result = product
    }
    return result
  }
}
