internal import ArgumentParser
internal import Glibc

/// A size as people write it: 512M, 8G, 1.5GiB. Units are powers of 1024 with or without the i, as memory is counted.
struct ByteSize: ExpressibleByArgument {
  let bytes: Int

  init?(argument: String) {
    let number = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    var unit = argument.dropFirst(number.count).lowercased()[...]
    if unit.hasSuffix("ib") { unit = unit.dropLast(2) } else if unit.hasSuffix("b") { unit = unit.dropLast() }
    guard let value = Double(number), let exponent = ["", "k", "m", "g", "t"].firstIndex(of: String(unit)) else {
      return nil
    }
    let bytes = value * pow(1024, Double(exponent))
    guard bytes >= 1, bytes < 0x1p60 else { return nil }
    self.bytes = Int(bytes)
  }
}
