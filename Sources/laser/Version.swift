enum Version {
  static let number = "0.1.0"
  /// As journals and reports name the program.
  static let program = "laser \(number)"
}
