internal import Glibc

/// Random numbers that a seed and a name decide: the same on every run, whatever else is drawn before or beside them.
///
/// SplitMix64 (Steele, Lea & Flood 2014); normal numbers by Box and Muller's transform.
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64
  private var spare: Double?

  init(seed: UInt64, name: String) {
    state = seed
    for byte in name.utf8 {
      state ^= UInt64(byte)
      state = next()
    }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// From 0 to below 1.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Of mean 0 and standard deviation 1.
  mutating func normal() -> Double {
    if let number = spare {
      spare = nil
      return number
    }
    let radius = (-2 * log(1 - uniform())).squareRoot()
    let angle = 2 * Double.pi * uniform()
    spare = radius * sin(angle)
    return radius * cos(angle)
  }
}
