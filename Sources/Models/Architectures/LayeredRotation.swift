internal import Checkpoints

/// How config.json says that layers with a sliding window rotate otherwise than the others: transformers 5 in
/// `rope_parameters`, an object for each kind of layer; before it `rope_theta` and `rope_scaling` for full layers, and a
/// base of its own for those with a window, which are never scaled.
struct LayeredRotation {
  /// config.json with the rotation of full layers, as other architectures have it.
  let full: Configuration
  private let file: Configuration
  private let parameters: Configuration

  /// - Parameters:
  ///   - base, slidingBase: What the class takes where config.json has none.
  ///   - slidingBaseKey: The older key of the base of layers with a window; nil where there is none.
  init(
    _ file: Configuration, base: Double, slidingBase: Double, slidingBaseKey: String?
  ) throws(CheckpointError) {
    self.file = file
    let old = Configuration(file: file.file, json: file["rope_scaling"] ?? .object([]))
    let new = Configuration(file: file.file, json: file["rope_parameters"] ?? .object([]))
    func part(_ name: String) throws(CheckpointError) -> [JSON.Member] {
      guard let value = new[name] else { return [] }
      guard let members = value.members else {
        throw file.error(.malformed, "\"\(name)\" (rope_parameters) is not an object")
      }
      return members
    }
    if let unknown = new.json.members?.first(where: { !["full_attention", "sliding_attention"].contains($0.key) }) {
      throw file.error(.unsupported, "\"\(unknown.key)\" (rope_parameters) is not supported for this architecture")
    }
    guard let scaling = old.json.members else { throw file.error(.malformed, "\"rope_scaling\" is not an object") }
    // transformers lays rope_scaling over what rope_parameters says.
    var fullMembers = ConfigurationMembers(try part("full_attention"))
    fullMembers.set(scaling)
    let theta = try file.number("rope_theta", default: base)
    fullMembers.setIfMissing("rope_theta", .number(theta))
    var slidingMembers = ConfigurationMembers(try part("sliding_attention"))
    let slidingTheta = try slidingBaseKey.map { key throws(CheckpointError) in
      try file.number(key, default: slidingBase)
    }
    slidingMembers.setIfMissing("rope_theta", .number(slidingTheta ?? slidingBase))
    parameters = Configuration(file: file.file, json: slidingMembers.json)
    var members = ConfigurationMembers((file.json.members ?? []).filter { $0.key != "rope_scaling" })
    members.set("rope_parameters", fullMembers.json)
    full = Configuration(file: file.file, json: members.json)
  }

  func sliding(headDimension: Int) throws(CheckpointError) -> RotaryConfiguration {
    try RotaryConfiguration(
      parameters, "sliding_attention", of: file, headDimension: headDimension, options: .init(scalings: []))
  }
}
