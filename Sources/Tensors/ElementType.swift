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
  case mxfp4 = "MXFP4"

  /// The numbers in a block: a row holds a multiple of it.
  package var blockSize: Int {
    switch self {
    case .bfloat16, .float16, .float32: 1
    case .q80, .q40, .q41, .q50, .q51, .mxfp4: 32
    case .q2K, .q3K, .q4K, .q5K, .q6K: 256
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
    case .mxfp4: 17
    }
  }

  /// The bytes of `count` numbers, a multiple of the block size.
  package func byteCount(of count: Int) -> Int { count / blockSize * blockByteCount }
}
