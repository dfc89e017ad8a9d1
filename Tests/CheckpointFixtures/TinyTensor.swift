/// A tensor as a test writes it into a safetensors file.
package struct TinyTensor: Sendable {
  package var name: String
  package var type: String
  package var shape: [Int]
  package var bytes: [UInt8]

  package init(name: String, type: String, shape: [Int], bytes: [UInt8]) {
    self.name = name
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }

  /// Random bf16 numbers, uniform from −scale to scale.
  package init(name: String, shape: [Int], scale: Float, from generator: inout SeededGenerator) {
    var bytes: [UInt8] = []
    for _ in 0..<shape.reduce(1, *) {
      let half = UInt16(Float.random(in: -scale...scale, using: &generator).bitPattern >> 16)
      bytes += [UInt8(truncatingIfNeeded: half), UInt8(half >> 8)]
    }
    self.init(name: name, type: "BF16", shape: shape, bytes: bytes)
  }
}

/// A file of the tensors back to back, in their order.
package func safetensors(_ tensors: [TinyTensor]) -> [UInt8] {
  var offset = 0
  let entries = tensors.map { tensor in
    let begin = offset
    offset += tensor.bytes.count
    return
      #""\#(tensor.name)": {"dtype": "\#(tensor.type)", "shape": \#(tensor.shape), "data_offsets": [\#(begin), \#(offset)]}"#
  }
  return safetensors(header: "{\(entries.joined(separator: ", "))}", data: tensors.flatMap(\.bytes))
}

/// A file with any header, true or not.
package func safetensors(header: String, data: [UInt8]) -> [UInt8] {
  littleEndian(UInt64(header.utf8.count)) + Array(header.utf8) + data
}

package func littleEndian(_ value: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

/// SplitMix64 (Steele, Lea & Flood 2014): the same numbers on every machine.
package struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
