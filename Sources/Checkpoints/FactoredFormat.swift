/// A folder in which some matrices are stored as two factors: instead of `P.weight` (m, n) there are `P.left.weight`
/// (m, r) and `P.right.weight` (r, n), of one type, and the matrix is left · right.
///
/// Or it is base + left · right, where experts share a base: then `P.delta.left.weight` and `P.delta.right.weight` are the
/// factors, and the base is the expert's name with "base" for its number. Version 2 has these too.
///
/// Programs that do not know this would take `P.weight` for missing, and some make up random numbers for what is
/// missing. So config.json names a method of quantisation that they do not have, and the weights are in files of
/// another name than they look for.
package enum FactoredFormat {
  static let method = "laser-factored"
  /// Without bases, which programs that know the first version alone do not ask for, and with them.
  private static let versions = (plain: 1, withBases: 2)
  /// What the names of files with tensors begin with.
  static let fileStem = "factored"

  /// The largest matrix, in numbers, that factors may make: the files say little about its size.
  static let largestProduct = 1 << 31

  /// Where the two factors of a matrix are.
  struct Names {
    let left: String
    let right: String
    /// What left · right is added to; nil where it is the matrix itself.
    let base: String?
  }

  /// Where a matrix may have its factors: those that make it, and those that make it of a base.
  static func names(of tensor: String) -> [Names] {
    guard tensor.hasSuffix(ending) else { return [] }
    let module = tensor.dropLast(ending.count)
    let own = Names(left: module + leftEnding, right: module + rightEnding, base: nil)
    guard let base = baseName(of: tensor) else { return [own] }
    let difference = module + differenceEnding
    return [own, Names(left: difference + leftEnding, right: difference + rightEnding, base: base)]
  }

  private static let ending = ".weight"
  private static let leftEnding = ".left.weight"
  private static let rightEnding = ".right.weight"
  private static let differenceEnding = ".delta"

  /// The tensor that a left factor belongs to.
  static func tensor(ofLeft name: String) -> String? {
    guard name.hasSuffix(leftEnding) else { return nil }
    let module = name.dropLast(leftEnding.count)
    return (module.hasSuffix(differenceEnding) ? module.dropLast(differenceEnding.count) : module) + ending
  }

  // MARK: Bases

  private static let baseExpert = "base"

  /// What experts share, "….experts.3.w1.weight" and its like of the others: "….experts.base.w1.weight". Nil for a
  /// matrix that is no expert's own tensor.
  package static func baseName(of tensor: String) -> String? {
    var parts = tensor.split(separator: ".", omittingEmptySubsequences: false)
    let expert = parts.indices.dropFirst().last { parts[$0 - 1] == "experts" && UInt(parts[$0]) != nil }
    guard let expert, tensor.hasSuffix(ending) else { return nil }
    parts[expert] = Substring(baseExpert)
    return parts.joined(separator: ".")
  }

  static func isBase(_ name: String) -> Bool { name.contains(".experts.\(baseExpert).") }

  /// - Throws: `CheckpointError` for a later version of the format.
  static func checkVersion(_ configuration: Configuration) throws(CheckpointError) {
    guard let version = configuration["quantization_config"]?["version"]?.integer,
      [versions.plain, versions.withBases].contains(version)
    else {
      throw configuration.error(
        .unsupported,
        "its factors are not of version \(versions.plain) or \(versions.withBases), which this program reads")
    }
  }

  /// A configuration that says so, or no longer.
  static func configuration(_ configuration: Configuration, isFactored: Bool, hasBases: Bool) -> JSON {
    var members = (configuration.json.members ?? []).filter { $0.key != "quantization_config" }
    if isFactored {
      members.append(
        JSON.Member(
          key: "quantization_config",
          value: .object([
            JSON.Member(key: "quant_method", value: .string(method)),
            JSON.Member(key: "version", value: .integer(hasBases ? versions.withBases : versions.plain)),
          ])))
    }
    return .object(members)
  }
}
