internal import Checkpoints

/// An architecture that dense models can be merged into.
protocol MixtureArchitecture: Architecture {
  /// As people write it: "Qwen2-MoE".
  static var title: String { get }
  /// What mergekit's configurations call it, in lower case; the first is the one that messages give.
  static var mergekitNames: [String] { get }
  /// Whether it has an expert that every token goes to, beside those that the router chooses from.
  static var hasSharedExpert: Bool { get }
  /// What it cannot hold of some dense models: "has no place for biases"; nil if nothing is known.
  static var limitation: String? { get }

  /// - Throws: `CheckpointError` for a dense model that it has no place for.
  static func refuse(parent file: Configuration) throws(CheckpointError)

  /// Says in config.json, which so far is the base's, what is the mixture's own.
  static func describe(_ base: MergeBase, expertCount: Int, in members: inout ConfigurationMembers)
}

extension MixtureArchitecture {
  static var hasSharedExpert: Bool { false }
  static var limitation: String? { nil }

  static func refuse(parent file: Configuration) throws(CheckpointError) {}
}

/// What dense models of an architecture become when they are merged.
struct MergeTarget: Sendable {
  let mixture: any MixtureArchitecture.Type
  /// What the dense class takes for keys that config.json leaves out, where the mixture's class takes something else.
  var defaults: [JSON.Member] = []
}

/// The dense model that gives a mixture all but its experts.
struct MergeBase {
  let configuration: TransformerConfiguration
  let layout: TensorLayout
  /// As in `MergeTarget`.
  let defaults: [JSON.Member]
}
