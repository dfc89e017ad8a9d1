internal import Checkpoints
internal import Tensors

/// config.json and generation_config.json of a model in GGUF.
struct FolderDescription {
  /// Texts by the names of their files.
  let files: [(name: String, text: String)]

  /// - Throws: `CheckpointError` for a rotation that Hugging Face has no words for.
  init(_ model: Model, type: ElementType) throws(CheckpointError) {
    let tokens = SpecialTokens(model.checkpoint.gguf)
    var members = try Self.configuration(model)
    members.set(tokens.members)
    members.set("torch_dtype", type.configurationName.map { .string($0) } ?? .null)
    files = [
      ("config.json", members.json.indented + "\n"),
      ("generation_config.json", JSON.object(tokens.members).indented + "\n"),
    ]
  }

  private static func configuration(_ model: Model) throws(CheckpointError) -> ConfigurationMembers {
    let (configuration, file) = (model.configuration, model.checkpoint.configuration)
    var members = ConfigurationMembers()
    members.set("architectures", .array([.string(model.architecture.className)]))
    members.set("model_type", .string(model.architecture.modelType))
    members.set("hidden_act", .string("silu"))
    members.set("hidden_size", .integer(configuration.hiddenSize))
    members.set("intermediate_size", .integer(configuration.intermediateSize))
    members.set("num_hidden_layers", .integer(configuration.layerCount))
    members.set("num_attention_heads", .integer(configuration.heads.count))
    members.set("num_key_value_heads", .integer(configuration.heads.keyValueCount))
    members.set("head_dim", .integer(configuration.heads.dimension))
    members.set("vocab_size", .integer(configuration.vocabularySize))
    members.set("max_position_embeddings", .integer(try file.size("max_position_embeddings", default: 2048)))
    members.set("rms_norm_eps", shortest(configuration.normEpsilon))
    members.set("rope_theta", shortest(Float(configuration.rotary.base)))
    members.set("rope_scaling", try rotaryScaling(model))
    members.set("tie_word_embeddings", .boolean(configuration.tiesEmbeddings))
    for key in ["attention_bias", "qkv_bias"] { if let value = file[key] { members.set(key, value) } }
    // The classes differ in what they take for a window that is not named.
    members.set("sliding_window", .null)
    members.set(model.architecture.members(configuration, file))
    return members
  }

  /// The shortest number that is the same in float32: 1e-05 rather than 9.999999747378752e-06.
  private static func shortest(_ value: Float) -> JSON { .number(Double("\(value)") ?? Double(value)) }

  private static func rotaryScaling(_ model: Model) throws(CheckpointError) -> JSON {
    let rotary = model.configuration.rotary
    guard case .divided(let factors) = rotary.scaling else {
      return model.checkpoint.configuration["rope_scaling"] ?? .null
    }
    if factors.allSatisfy({ $0 == 1 }) { return .null }
    guard let (factor, positions) = rotary.llama3(dividingBy: factors) else {
      throw model.checkpoint.error(
        .unsupported, tensor: "rope_freqs.weight", "it is not Llama 3.1's scaling, so that config.json cannot say it")
    }
    return .object([
      JSON.Member(key: "rope_type", value: .string("llama3")), JSON.Member(key: "factor", value: .number(factor)),
      JSON.Member(key: "low_freq_factor", value: .number(1)), JSON.Member(key: "high_freq_factor", value: .number(4)),
      JSON.Member(key: "original_max_position_embeddings", value: .integer(positions)),
    ])
  }

  /// Ids that begin, end and pad a text.
  private struct SpecialTokens {
    let members: [JSON.Member]

    init(_ parts: GGUFParts?) {
      func id(_ key: String) -> JSON { parts?["tokenizer.ggml.\(key)_token_id"]?.integer.map(JSON.integer) ?? .null }
      let ends = ["eos", "eot"].map(id).filter { !$0.isNull }
      let differ = ends.count == 2 && ends[0].integer != ends[1].integer
      members = [
        JSON.Member(key: "bos_token_id", value: id("bos")),
        JSON.Member(key: "eos_token_id", value: differ ? .array(ends) : ends.first ?? .null),
        JSON.Member(key: "pad_token_id", value: id("padding")),
      ]
    }
  }
}

extension RotaryConfiguration {
  /// Llama 3.1's scaling with the bounds that its models have, 1 and 4, if it is what divides the frequencies so.
  fileprivate func llama3(dividingBy factors: [Float]) -> (factor: Double, positions: Int)? {
    var candidate = self
    candidate.scaling = .none
    let plain = candidate.frequencies.radians
    guard let largest = factors.max(), factors.count == plain.count else { return nil }
    for factor in [Double(largest).rounded(), Double(largest)] {
      for positions in (4...24).map({ 1 << $0 }) {
        candidate.scaling = .llama3(
          factor: factor, lowFrequency: 1, highFrequency: 4, originalPositions: Double(positions))
        let scaled = candidate.frequencies.radians
        let isSame = zip(plain, scaled).enumerated().allSatisfy { pair, frequencies in
          abs(frequencies.0 / frequencies.1 / factors[pair] - 1) < 1e-5
        }
        if isSame { return (factor, positions) }
      }
    }
    return nil
  }
}
