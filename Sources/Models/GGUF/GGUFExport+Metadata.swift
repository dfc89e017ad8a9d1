internal import Checkpoints
internal import Glibc
internal import Tensors

extension GGUFExport {
  /// The file's metadata. A model in GGUF keeps its own; of another one it is made of config.json and the vocabulary's.
  ///
  /// - Parameter matrixTypes: What matrices are stored in.
  func metadata(
    _ tokenizer: [GGUFFile.Member], origin: [GGUFFile.Member], matrixTypes: Set<ElementType>
  ) throws(CheckpointError) -> [GGUFFile.Member] {
    let sameType = matrixTypes.count == 1 ? matrixTypes.first.flatMap { Self.fileTypes[$0] } : nil
    let fileType = self.fileType?.number ?? sameType
    let fileTypeMember = fileType.map { GGUFFile.Member(key: "general.file_type", value: .uint32($0)) }
    if let parts = model.checkpoint.gguf {
      let replaced = Set(origin.map(\.key) + (fileTypeMember.map { [$0.key] } ?? []))
      let kept = parts.metadata.filter {
        !$0.key.hasPrefix("split.") && $0.key != "general.alignment" && !replaced.contains($0.key)
      }
      return kept + (fileTypeMember.map { [$0] } ?? []) + origin
    }
    let general = general.filter { member in !origin.contains { $0.key == member.key } } + origin
    return try general + (fileTypeMember.map { [$0] } ?? []) + hyperparameters() + tokenizer
  }

  /// llama.cpp, llama.h (`enum llama_ftype`).
  private static let fileTypes: [ElementType: UInt32] = [.float32: 0, .float16: 1, .q80: 7, .bfloat16: 32]

  private var general: [GGUFFile.Member] {
    let name = model.checkpoint.path.split(separator: "/").last.map(String.init) ?? "model"
    return [
      .init(key: "general.architecture", value: .string(gguf.name)),
      .init(key: "general.type", value: .string("model")), .init(key: "general.name", value: .string(name)),
      .init(key: "general.quantization_version", value: .uint32(2)),
    ]
  }

  private func hyperparameters() throws(CheckpointError) -> [GGUFFile.Member] {
    let (configuration, file) = (model.configuration, model.checkpoint.configuration)
    var members: [GGUFFile.Member] = []
    func set(_ key: String, _ value: GGUFValue) { members.append(.init(key: "\(gguf.name).\(key)", value: value)) }
    func set(_ key: String, _ value: Int) { set(key, .uint32(UInt32(clamping: value))) }
    set("block_count", configuration.layerCount)
    set("context_length", try file.size("max_position_embeddings", default: 2048))
    set("embedding_length", configuration.hiddenSize)
    set("vocab_size", configuration.vocabularySize)
    set("feed_forward_length", configuration.intermediateSize)
    set("attention.head_count", configuration.heads.count)
    set("attention.head_count_kv", configuration.heads.keyValueCount)
    set("attention.key_length", configuration.heads.dimension)
    set("attention.value_length", configuration.heads.dimension)
    set("attention.layer_norm_rms_epsilon", .float32(configuration.normEpsilon))
    set("rope.dimension_count", configuration.rotary.dimension)
    set("rope.freq_base", .float32(Float(configuration.rotary.base)))
    if let mixture = configuration.mixture {
      set("expert_count", mixture.expertCount)
      set("expert_used_count", mixture.expertsPerToken)
      if gguf.namesExpertWidth { set("expert_feed_forward_length", mixture.intermediateSize) }
      if let shared = mixture.sharedIntermediateSize { set("expert_shared_feed_forward_length", shared) }
      if gguf.gatingFunction != 1 {
        set("expert_gating_func", gguf.gatingFunction)
        set("expert_weights_norm", .boolean(mixture.normalizesWeights))
      }
    }
    for parameter in gguf.parameters {
      guard let value = try parameter.value(file) else { continue }
      set(parameter.key, parameter.isWhole ? .uint32(UInt32(clamping: Int(value))) : .float32(Float(value)))
    }
    switch configuration.rotary.scaling {
    case .none, .llama3, .divided, .proportional: break
    case .linear(let factor):
      set("rope.scaling.type", .string("linear"))
      set("rope.scaling.factor", .float32(Float(factor)))
    case .yarn(let factor, _, _, _):
      set("rope.scaling.type", .string("yarn"))
      set("rope.scaling.factor", .float32(Float(factor)))
      set("rope.scaling.original_context_length", try yarnPositions(file))
    }
    return members
  }

  /// YaRN's options beyond a factor and the positions have no keys that our reader and llama.cpp share; llama.cpp takes
  /// the turns that YaRN's authors do, 32 and 1.
  private func yarnPositions(_ file: Configuration) throws(CheckpointError) -> Int {
    let key = file["rope_scaling"] == nil ? "rope_parameters" : "rope_scaling"
    // That of full layers, where those with a window have another.
    let parameters = Configuration(file: file.file, json: file[key]?["full_attention"] ?? file[key] ?? .object([]))
    let known = [
      "rope_type", "type", "rope_theta", "factor", "original_max_position_embeddings", "finetuned", "truncate",
    ]
    let factor = parameters["factor"]?.number ?? 1
    let usual: [String: Double] = ["beta_fast": 32, "beta_slow": 1, "attention_factor": 0.1 * log(max(factor, 1)) + 1]
    // A zero counts as left out.
    let members = parameters.json.members?.filter { member in
      guard let number = member.value.number else { return !member.value.isNull }
      return number != 0 && usual[member.key].map { abs(number / $0 - 1) > 1e-6 } ?? true
    }
    if let unknownKey = members?.first(where: { !known.contains($0.key) }) {
      throw file.error(.unsupported, "\"\(unknownKey.key)\" (\(key)) cannot be written as GGUF")
    }
    guard file[key] != nil else {
      throw file.error(.unsupported, "the rotation that its class takes for none cannot be written as GGUF")
    }
    let truncates = try parameters.flag("truncate", default: true)
    guard truncates == gguf.truncatesYarn else {
      throw file.error(
        .unsupported, "\"truncate\": \(!gguf.truncatesYarn) (\(key)) cannot be written as GGUF for this architecture")
    }
    for place in [parameters, file] where place["original_max_position_embeddings"] != nil {
      return try place.size("original_max_position_embeddings")
    }
    return try file.size("max_position_embeddings")
  }
}

extension GGUFArchitecture.Parameter {
  /// What config.json says, or the class takes; nil where nothing is to be written. Null is no number.
  fileprivate func value(_ file: Configuration) throws(CheckpointError) -> Double? {
    if file.isAbsent(member) { return fallback }
    guard file[member] != nil else { return nil }
    return isWhole ? Double(try file.count(member, default: 0)) : try file.number(member)
  }
}
