/// The two orders of the rows of each head's queries and keys. The two rows that are rotated together are half a head
/// apart in Hugging Face's checkpoints (half-split), and neighbours in GGUF files of Llama (interleaved).
enum HeadRows {
  case halfSplit, interleaved

  /// Appends rows that come in the other order.
  func append(_ bytes: UnsafeRawBufferPointer, heads: Int, rows: Int, to result: inout [UInt8]) {
    let (size, half) = (bytes.count / rows, rows / heads / 2)
    for row in 0..<rows {
      let (head, place) = (row / (2 * half), row % (2 * half))
      let old =
        switch self {
        case .interleaved: place % 2 * half + place / 2
        case .halfSplit: place % half * 2 + place / half
        }
      result.append(contentsOf: bytes[(head * 2 * half + old) * size..<(head * 2 * half + old + 1) * size])
    }
  }
}
