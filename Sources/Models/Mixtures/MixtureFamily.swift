package import Checkpoints

extension MergedMixture {
  /// What a mixture is: the architecture that follows from what its parents are.
  package struct Family: Sendable, Equatable {
    let architecture: any MixtureArchitecture.Type

    /// As config.json says it.
    package var modelType: String { architecture.modelType }
    /// As people write it: "Qwen2-MoE".
    package var title: String { architecture.title }
    /// Whether it has an expert that every token goes to, beside those that the router chooses from.
    package var hasSharedExpert: Bool { architecture.hasSharedExpert }
    /// What it cannot hold of some dense models, as in "a Mixtral has no place for biases"; nil if nothing is known.
    package var limitation: String? { architecture.limitation }

    package static func == (one: Family, other: Family) -> Bool { one.modelType == other.modelType }

    /// What a checkpoint can become a part of.
    ///
    /// - Throws: `CheckpointError` for one that is not dense, or is computed as no mixture is.
    package init(of checkpoint: Checkpoint) throws(CheckpointError) {
      let file = checkpoint.configuration
      guard checkpoint.gguf == nil else {
        throw file.error(.unsupported, "GGUF files cannot be merged; give the folders that they were made from")
      }
      let modelType = try file.string("model_type")
      let parents = ArchitectureRegistry.all.filter { $0.merged != nil }
      guard let target = parents.first(where: { $0.modelTypes.contains(modelType) })?.merged else {
        let names = parents.flatMap { $0.modelTypes }
        throw file.error(
          .unsupported,
          "a \"\(modelType)\" cannot be merged; experts are made of dense \(names.dropLast().joined(separator: ", ")) and "
            + "\(names.last ?? "") models")
      }
      try target.mixture.refuse(parent: file)
      architecture = target.mixture
    }

    /// - Parameter name: As mergekit's configurations name it, in any case; nil for another one.
    package init?(named name: String) {
      guard
        let known = ArchitectureRegistry.mixtures.first(where: { $0.mergekitNames.contains(name.lowercased()) })
      else { return nil }
      architecture = known
    }

    /// What `init(named:)` takes.
    package static var names: [String] { ArchitectureRegistry.mixtures.map { $0.mergekitNames[0] } }
  }
}
