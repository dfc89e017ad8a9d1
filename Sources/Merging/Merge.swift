internal import Checkpoints
internal import FoundationEssentials
package import Models
internal import Tensors
internal import Tokenization
internal import Wording

/// Dense models of one shape made into one mixture of experts, without any of them in memory as a whole.
///
/// Each parent gives its feed-forward layers as an expert; the base gives everything else and the tokenizer. Tensors
/// are read from mapped files and appended to the new ones one by one, and their pages given back.
package struct Merge {
  private let configuration: MergeConfiguration
  package let base: Model
  /// The model that each expert comes from, the shared one's last.
  private let parents: [Model]
  private let tokenizer: Tokenizer?
  private let type: ElementType
  package let family: MergedMixture.Family
  package let mixture: MergedMixture

  /// From here on routers are said to be ill-conditioned, as mergekit does.
  package static let worryingCondition = 5.0

  package struct Outcome: Sendable {
    package let files: [String]
    package let byteCount: Int
    package let parameterCount: Int
    /// For each layer, the largest singular value of the router's matrix over the smallest, before rounding.
    package let gateConditions: [Double]
  }

  /// Opens and compares the parents.
  ///
  /// - Parameter anyVocabulary: Whether an expert may come from a model with another vocabulary than the base's. Only
  ///   its feed-forward layers are used, but they were trained to the base's tokens only if the vocabularies agree.
  package init(_ configuration: MergeConfiguration, anyVocabulary: Bool = false) throws {
    self.configuration = configuration
    var opened: [String: Model] = [:]
    func open(_ parent: MergeConfiguration.Parent, _ place: String) throws -> Model {
      if let model = opened[parent.folder] { return model }
      var isFolder = false
      guard FileManager.default.fileExists(atPath: parent.folder, isDirectory: &isFolder), isFolder else {
        throw InputError(
          "\(place): \(parent.folder): no such folder; give a checkpoint's folder, relative to the configuration file"
            + (HubName(parent.name).map { ", or download it with `hf download \($0.id)`" } ?? ""))
      }
      let checkpoint = try Checkpoint(path: parent.folder)
      _ = try MergedMixture.Family(of: checkpoint)
      let model = try Model(checkpoint)
      opened[parent.folder] = model
      return model
    }
    base = try open(configuration.base, "base_model")
    family = try MergedMixture.Family(of: base.checkpoint)
    try Self.refuseOtherFamily(configuration, family, base: base)
    parents = try configuration.contributors.enumerated().map { try open($1.parent, configuration.place($0)) }
    for parent in parents {
      guard try MergedMixture.Family(of: parent.checkpoint) == family else {
        let types = try [parent, base].map { try $0.checkpoint.configuration.string("model_type") }
        throw InputError(
          "\(parent.checkpoint.path): \(types[0]) and \(types[1]) models do not merge, and the base is "
            + base.checkpoint.path)
      }
      try Self.refuseOtherShape(parent, base: base)
    }
    guard configuration.experts.count <= 100_000 / base.configuration.layerCount else {
      throw InputError("\(configuration.experts.count) experts in each layer are too many")
    }
    let hasTokenizer = FileManager.default.fileExists(atPath: base.checkpoint.path + "/tokenizer.json")
    tokenizer =
      hasTokenizer || configuration.gateMode.needsPrompts ? try Tokenizer(path: base.checkpoint.path) : nil
    if !anyVocabulary {
      for parent in opened.values.sorted(by: { $0.checkpoint.path < $1.checkpoint.path }) {
        try Self.refuseOtherVocabulary(parent, base: base, tokenizer)
      }
    }
    let embedding = base.layout.embedding
    type = try configuration.type ?? base.stored(embedding).type
    mixture = try MergedMixture(
      base: base, expertCount: configuration.experts.count, expertsPerToken: configuration.expertsPerToken, type: type)
  }

  /// What the base makes must be what the configuration asks for.
  private static func refuseOtherFamily(
    _ configuration: MergeConfiguration, _ family: MergedMixture.Family, base: Model
  ) throws {
    let folder = base.checkpoint.path
    let modelType = try base.checkpoint.configuration.string("model_type")
    if let asked = configuration.family, asked != family {
      throw InputError(
        "\(folder): \(modelType) models make a \(family.modelType), not a \(asked.modelType)"
          + (asked.limitation.map { ", which \($0)" } ?? "") + "; leave out \"architecture\"")
    }
    switch (family.hasSharedExpert, configuration.shared != nil) {
    case (true, false):
      throw InputError(
        "\"shared_experts\" is missing: \(modelType) models (\(folder)) make a \(family.title), which has one expert that "
          + "every token goes to; list one, with a source_model, positive_prompts and a residual_scale of, say, 0.1")
    case (false, true):
      throw InputError(
        "\"shared_experts\": \(folder) makes a \(family.title), which has no shared expert: leave it out")
    default: break
    }
  }

  private static func refuseOtherShape(_ parent: Model, base: Model) throws(InputError) {
    let (a, b) = (parent.configuration, base.configuration)
    let numbers = [
      ("hidden_size", a.hiddenSize, b.hiddenSize), ("intermediate_size", a.intermediateSize, b.intermediateSize),
      ("num_hidden_layers", a.layerCount, b.layerCount), ("num_attention_heads", a.heads.count, b.heads.count),
      ("num_key_value_heads", a.heads.keyValueCount, b.heads.keyValueCount),
      ("head_dim", a.heads.dimension, b.heads.dimension),
    ]
    for (key, its, bases) in numbers where its != bases {
      throw InputError(
        "\(parent.checkpoint.path): its \(key) is \(its) but the base's, \(base.checkpoint.path), is \(bases); "
          + "only models of one shape merge")
    }
  }

  private static func refuseOtherVocabulary(_ parent: Model, base: Model, _ tokenizer: Tokenizer?) throws {
    let (folder, baseFolder) = (parent.checkpoint.path, base.checkpoint.path)
    let advice = "merge models of one vocabulary, or say --any-vocabulary"
    guard parent.configuration.vocabularySize == base.configuration.vocabularySize else {
      throw InputError(
        "\(folder): its vocabulary has \(parent.configuration.vocabularySize) tokens, the base's, \(baseFolder), "
          + "\(base.configuration.vocabularySize); \(advice)")
    }
    guard let tokenizer, FileManager.default.fileExists(atPath: folder + "/tokenizer.json"),
      try Tokenizer.fingerprint(path: folder) != Tokenizer.fingerprint(path: baseFolder)
    else { return }
    if let id = try Tokenizer(path: folder).firstDifference(from: tokenizer) {
      throw InputError("\(folder): its token \(id) is another than the base's, \(baseFolder); \(advice)")
    }
  }

  // MARK: Writing

  /// Everything that the merge reads, so that nothing of it is written over.
  package var folders: [String] { Set(([base] + parents).map(\.checkpoint.path)).sorted() }

  /// Makes the routers, and writes the mixture's folder.
  ///
  /// - Parameters:
  ///   - shardSize: Bytes of tensors that a file may hold.
  ///   - paths: What the folder must neither be nor hold, beside the parents.
  ///   - program: As the model card names it.
  ///   - progress: Called with what is done and the share of it.
  package func write(
    to target: String, shardSize: Int, replacesExisting: Bool, protecting paths: [String], program: String,
    progress: (String, Double) throws -> Void = { _, _ in }
  ) throws -> Outcome {
    let folder = try MergedFolder(
      target, replacesExisting: replacesExisting, parents: folders, protecting: paths,
      tokenizerFrom: base.checkpoint.path)
    let gates = try Gates(configuration, base: base, tokenizer: tokenizer).layers { try progress("Routers", $0) }
    let conditions = try gates.map { layer in
      let values = try SingularValueDecomposition(layer.router).singularValues
      return (values.first ?? 1) / max(values.last ?? 1, .leastNormalMagnitude)
    }
    var outcome: Outcome?
    try folder.write { temporary in
      let writer = SafetensorsWriter(
        mixture.tensors.map { SafetensorsWriter.Tensor(name: $0.name, type: type, shape: $0.shape) }, to: temporary,
        shardSize: shardSize)
      let origins = Dictionary(mixture.tensors.map { ($0.name, $0) }) { first, _ in first }
      var done = 0
      for tensor in writer.tensors {
        guard let origin = origins[tensor.name]?.origin else { continue }
        try append(tensor.name, origin, gates, to: writer)
        done += tensor.byteCount
        try progress("Writing", Double(done) / Double(max(1, writer.byteCount)))
      }
      try writer.finish()
      try AtomicFile.write(mixture.configuration.indented + "\n", to: temporary + "/config.json")
      try AtomicFile.write(
        ModelCard.text(configuration, family, folders: folders, program: program), to: temporary + "/README.md")
      for model in [base] + parents { try model.checkpoint.refuseChange() }
      outcome = Outcome(
        files: writer.fileNames, byteCount: writer.byteCount,
        parameterCount: writer.byteCount / type.blockByteCount, gateConditions: conditions)
    }
    guard let outcome else { throw InputError("\(target): nothing was written") }
    return outcome
  }

  private func append(
    _ name: String, _ origin: MergedMixture.Origin, _ gates: [Gates.Layer], to writer: SafetensorsWriter
  ) throws {
    switch origin {
    case .router(let layer):
      try writer.append(StoredMatrix(rounding: gates[layer].router, to: type), of: name)
    case .sharedGate(let layer):
      guard let gate = gates[layer].shared else { preconditionFailure("a shared expert without a gate") }
      try writer.append(StoredMatrix(rounding: gate, to: type), of: name)
    case .base(let reference):
      try append(reference, of: base, as: name, to: writer)
    case .expert(let number, let reference, let isOutput):
      let expert = configuration.contributors[number]
      let scale = isOutput ? expert.residualScale ?? 1 : 1
      let noise = expert.noiseScale ?? 0
      guard scale != 1 || noise != 0 else {
        return try append(reference, of: parents[number], as: name, to: writer)
      }
      var numbers = SplitMix64(seed: configuration.seed, name: name)
      try append(reference, of: parents[number], as: name, to: writer) { value in
        scale * (noise == 0 ? value : value + noise * numbers.nextNormal())
      }
    }
  }

  /// Appends a parent's tensor, number by number through `change` and rounded once, or byte by byte if nothing changes.
  private func append(
    _ reference: TensorReference, of model: Model, as name: String, to writer: SafetensorsWriter,
    change: ((Double) -> Double)? = nil
  ) throws {
    defer { model.checkpoint.release(reference.tensor) }
    do {
      try writer.append(model.stored(reference), as: type, of: name, change: change)
    } catch is StoredMatrix.NotFinite {
      throw model.checkpoint.error(
        .notFinite, tensor: reference.tensor,
        "it holds a number that \(type.configurationName ?? type.rawValue) cannot hold")
    }
  }
}
