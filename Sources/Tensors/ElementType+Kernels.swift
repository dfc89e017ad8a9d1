internal import CKernels

private typealias Expansion = @convention(c) (UnsafeRawPointer?, UnsafeMutablePointer<Float>?, Int) -> Bool
private typealias Quantization =
  @convention(c) (UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutableRawPointer?, Int) -> Void

extension ElementType {
  /// To float32, whole blocks; returns false if a number is not finite.
  func expand(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>, _ count: Int) -> Bool {
    expansion(source, target, count)
  }

  /// Rounds a row of float32.
  ///
  /// - Parameter importance: How much each number's error counts; used by types in blocks alone.
  func round(
    _ numbers: UnsafePointer<Float>, importance: [Float]?, at target: UnsafeMutableRawPointer, count: Int
  ) {
    guard blockSize == 1 else { return quantize(numbers, importance: importance, at: target, count: count) }
    let doubles = (0..<count).map { Double(numbers[$0]) }
    switch self {
    case .bfloat16: laser_round_bf16(doubles, target, count)
    case .float16: laser_round_f16(doubles, target, count)
    default: laser_round_f32(doubles, target, count)
    }
  }

  /// Makes blocks of a row of numbers.
  ///
  /// - Precondition: The type has blocks and is not read only.
  func quantize(
    _ numbers: UnsafePointer<Float>, importance: [Float]?, at target: UnsafeMutableRawPointer, count: Int
  ) {
    guard let quantization else { preconditionFailure("\(rawValue) is not written") }
    if let importance {
      quantization(numbers, importance, target, count)
    } else {
      quantization(numbers, nil, target, count)
    }
  }

  private var expansion: Expansion {
    switch self {
    case .bfloat16: laser_expand_bf16
    case .float16: laser_expand_f16
    case .float32: laser_expand_f32
    case .q80: laser_expand_q8_0
    case .q40: laser_expand_q4_0
    case .q41: laser_expand_q4_1
    case .q50: laser_expand_q5_0
    case .q51: laser_expand_q5_1
    case .q2K: laser_expand_q2_k
    case .q3K: laser_expand_q3_k
    case .q4K: laser_expand_q4_k
    case .q5K: laser_expand_q5_k
    case .q6K: laser_expand_q6_k
    case .iq4NL: laser_expand_iq4_nl
    case .iq4XS: laser_expand_iq4_xs
    case .mxfp4: laser_expand_mxfp4
    case .nvfp4: laser_expand_nvfp4
    case .iq1S: laser_expand_iq1_s
    case .iq1M: laser_expand_iq1_m
    case .iq2XXS: laser_expand_iq2_xxs
    case .iq2XS: laser_expand_iq2_xs
    case .iq2S: laser_expand_iq2_s
    case .iq3XXS: laser_expand_iq3_xxs
    case .iq3S: laser_expand_iq3_s
    case .tq10: laser_expand_tq1_0
    case .tq20: laser_expand_tq2_0
    case .q10: laser_expand_q1_0
    case .q20: laser_expand_q2_0
    }
  }

  /// How numbers become blocks; nil for types that store them one by one or are read only.
  private var quantization: Quantization? {
    switch self {
    case .q80: laser_quantize_q8_0
    case .q40: laser_quantize_q4_0
    case .q41: laser_quantize_q4_1
    case .q50: laser_quantize_q5_0
    case .q51: laser_quantize_q5_1
    case .q2K: laser_quantize_q2_k
    case .q3K: laser_quantize_q3_k
    case .q4K: laser_quantize_q4_k
    case .q5K: laser_quantize_q5_k
    case .q6K: laser_quantize_q6_k
    case .iq4NL: laser_quantize_iq4_nl
    case .iq4XS: laser_quantize_iq4_xs
    case .mxfp4: laser_quantize_mxfp4
    default: nil
    }
  }
}
