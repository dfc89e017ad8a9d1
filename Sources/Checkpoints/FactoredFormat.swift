/// A folder in which some matrices are stored as two factors: instead of `P.weight` (m, n) there are `P.left.weight`
/// (m, r) and `P.right.weight` (r, n), of one type, and the matrix is left · right.
///
/// Programs that do not know this would take `P.weight` for missing, and some make up random numbers for what is
/// missing. So config.json names a method of quantisation that they do not have, and the weights are in files of
/// another name than they look for.
package enum FactoredFormat {
  static let method = "laser-factored"
  static let version = 1
  /// What the names of files with tensors begin with.
  static let fileStem = "factored"

  /// The largest matrix, in numbers, that factors may make: the files say little about its size.
  static let largestProduct = 1 << 31

  package static func leftName(of tensor: String) -> String? { name(of: tensor, ending: leftEnding) }
  package static func rightName(of tensor: String) -> String? { name(of: tensor, ending: rightEnding) }

  private static let ending = ".weight"
  private static let leftEnding = ".left.weight"
  private static let rightEnding = ".right.weight"

  private static func name(of tensor: String, ending: String) -> String? {
    tensor.hasSuffix(Self.ending) ? tensor.dropLast(Self.ending.count) + ending : nil
  }

  /// The tensor that a left factor belongs to.
  static func tensor(ofLeft name: String) -> String? {
    name.hasSuffix(leftEnding) ? name.dropLast(leftEnding.count) + ending : nil
  }

  /// - Throws: `CheckpointError` for a later version of the format.
  static func checkVersion(_ configuration: Configuration) throws(CheckpointError) {
    guard configuration["quantization_config"]?["version"]?.integer == version else {
      throw configuration.error(
        .unsupported, "its factors are not of version \(version), which this program reads")
    }
  }

  /// A configuration that says so, or no longer.
  static func configuration(_ configuration: Configuration, isFactored: Bool) -> JSON {
    var members = (configuration.json.members ?? []).filter { $0.key != "quantization_config" }
    if isFactored {
      members.append(
        JSON.Member(
          key: "quantization_config",
          value: .object([
            JSON.Member(key: "quant_method", value: .string(method)),
            JSON.Member(key: "version", value: .integer(version)),
          ])))
    }
    return .object(members)
  }
}
