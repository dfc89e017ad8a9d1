package import Tensors

/// What a GGUF file's matrices are stored in, as people name it: one type, or a mixture of types whose matrices that are
/// more easily harmed have more bits. Names, numbers and mixtures are those of llama-quantize.
package enum GGUFFileType: String, Sendable, CaseIterable {
  case f32, f16, bf16
  case q80 = "q8_0"
  case q40 = "q4_0"
  case q41 = "q4_1"
  case q50 = "q5_0"
  case q51 = "q5_1"
  case q2K = "q2_k"
  case q2KSmall = "q2_k_s"
  case q3KSmall = "q3_k_s"
  case q3KMedium = "q3_k_m"
  case q3KLarge = "q3_k_l"
  case q4KSmall = "q4_k_s"
  case q4KMedium = "q4_k_m"
  case q5KSmall = "q5_k_s"
  case q5KMedium = "q5_k_m"
  case q6K = "q6_k"
  case iq4NL = "iq4_nl"
  case iq4XS = "iq4_xs"
  case mxfp4MoE = "mxfp4_moe"

  /// `general.file_type`: llama.cpp, llama.h (`enum llama_ftype`).
  var number: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .bf16: 32
    case .q80: 7
    case .q40: 2
    case .q41: 3
    case .q50: 8
    case .q51: 9
    case .q2K: 10
    case .q2KSmall: 21
    case .q3KSmall: 11
    case .q3KMedium: 12
    case .q3KLarge: 13
    case .q4KSmall: 14
    case .q4KMedium: 15
    case .q5KSmall: 16
    case .q5KMedium: 17
    case .q6K: 18
    case .iq4NL: 25
    case .iq4XS: 30
    case .mxfp4MoE: 38
    }
  }

  /// The type of matrices that the mixture says nothing else of.
  package var mainType: ElementType {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .q80: .q80
    case .q40: .q40
    case .q41: .q41
    case .q50: .q50
    case .q51: .q51
    case .q2K, .q2KSmall: .q2K
    case .q3KSmall, .q3KMedium, .q3KLarge: .q3K
    case .q4KSmall, .q4KMedium: .q4K
    case .q5KSmall, .q5KMedium: .q5K
    case .q6K: .q6K
    case .iq4NL: .iq4NL
    case .iq4XS: .iq4XS
    case .mxfp4MoE: .mxfp4
    }
  }

  /// That of plain numbers, which a folder can hold too; nil for types in blocks.
  package var plainType: ElementType? { mainType.blockSize == 1 ? mainType : nil }
}
