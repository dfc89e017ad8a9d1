/// How numbers are stored in a checkpoint: one by one, or in blocks that share a scale (ggml's formats).
package enum ElementType: String, Sendable, CaseIterable {
  case bfloat16 = "BF16"
  case float16 = "F16"
  case float32 = "F32"
  case q80 = "Q8_0"
  case q40 = "Q4_0"
  case q41 = "Q4_1"
  case q50 = "Q5_0"
  case q51 = "Q5_1"
  case q2K = "Q2_K"
  case q3K = "Q3_K"
  case q4K = "Q4_K"
  case q5K = "Q5_K"
  case q6K = "Q6_K"
  case iq4NL = "IQ4_NL"
  case iq4XS = "IQ4_XS"
  case mxfp4 = "MXFP4"
  // Those that are read only.
  case nvfp4 = "NVFP4"
  case iq1S = "IQ1_S"
  case iq1M = "IQ1_M"
  case iq2XXS = "IQ2_XXS"
  case iq2XS = "IQ2_XS"
  case iq2S = "IQ2_S"
  case iq3XXS = "IQ3_XXS"
  case iq3S = "IQ3_S"
  case tq10 = "TQ1_0"
  case tq20 = "TQ2_0"
  case q10 = "Q1_0"
  case q20 = "Q2_0"

  /// The numbers in a block: a row holds a multiple of it.
  package var blockSize: Int {
    switch self {
    case .bfloat16, .float16, .float32: 1
    case .q80, .q40, .q41, .q50, .q51, .iq4NL, .mxfp4: 32
    case .nvfp4, .q20: 64
    case .q10: 128
    case .q2K, .q3K, .q4K, .q5K, .q6K, .iq4XS, .iq1S, .iq1M, .iq2XXS, .iq2XS, .iq2S, .iq3XXS, .iq3S, .tq10, .tq20: 256
    }
  }

  package var blockByteCount: Int {
    switch self {
    case .bfloat16, .float16: 2
    case .float32: 4
    case .q80: 34
    case .q40: 18
    case .q41: 20
    case .q50: 22
    case .q51: 24
    case .q2K: 84
    case .q3K: 110
    case .q4K: 144
    case .q5K: 176
    case .q6K: 210
    case .iq4NL: 18
    case .iq4XS: 136
    case .mxfp4: 17
    case .nvfp4: 36
    case .iq1S: 50
    case .iq1M: 56
    case .iq2XXS: 66
    case .iq2XS: 74
    case .iq2S: 82
    case .iq3XXS: 98
    case .iq3S: 110
    case .tq10: 54
    case .tq20: 66
    case .q10: 18
    case .q20: 18
    }
  }

  /// The bytes of `count` numbers, a multiple of the block size.
  package func byteCount(of count: Int) -> Int { count / blockSize * blockByteCount }

  /// Whether numbers are read in this type but cannot be rounded to it.
  package var isReadOnly: Bool {
    switch self {
    case .nvfp4, .iq1S, .iq1M, .iq2XXS, .iq2XS, .iq2S, .iq3XXS, .iq3S,
      .tq10, .tq20, .q10, .q20:
      true
    default: false
    }
  }

  /// What a matrix of this type is stored as once it is changed.
  package var typeOfChanges: ElementType { isReadOnly ? .q80 : self }
}
