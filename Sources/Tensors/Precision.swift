internal import CKernels

/// What matrix products take: float32 as it is, or numbers rounded to bfloat16, whose products are added in float32.
///
/// bfloat16 is twice as fast on processors that multiply it (AVX512-BF16); elsewhere it is taken as float32.
package enum Precision: String, Sendable, CaseIterable {
  case float32
  case bfloat16 = "bf16"

  /// What this processor makes of it.
  package var here: Precision { self == .bfloat16 && !laser_processor_has_avx512_bf16() ? .float32 : self }
}
