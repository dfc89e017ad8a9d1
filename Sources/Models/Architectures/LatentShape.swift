internal import Checkpoints
internal import Glibc

/// The numbers of latent attention in config.json, under the names that DeepSeek's descendants share.
struct LatentShape {
  /// Of the queries' latent; nil where queries are made of the states.
  let queryLatent: Int?
  /// Of the keys' and values' latent.
  let keyValueLatent: Int
  /// A head's numbers of query and key that are not rotated, that are, and of its value.
  let plain: Int
  let rotated: Int
  let value: Int

  /// What the configuration class takes for keys that config.json leaves out.
  struct Defaults {
    var query = 1536
    var plain = 128
    var value = 128
  }

  init(_ file: Configuration, defaults: Defaults = Defaults()) throws(CheckpointError) {
    func size(_ key: String, _ fallback: Int) throws(CheckpointError) -> Int {
      let size = try file.size(key, default: fallback)
      guard size <= 1 << 20 else { throw file.error(.malformed, "\"\(key)\" is \(size)") }
      return size
    }
    // Null says that there is none.
    queryLatent =
      file["q_lora_rank"] == nil && !file.isAbsent("q_lora_rank") ? nil : try size("q_lora_rank", defaults.query)
    keyValueLatent = try size("kv_lora_rank", 512)
    plain = try size("qk_nope_head_dim", defaults.plain)
    rotated = try size("qk_rope_head_dim", 64)
    value = try size("v_head_dim", defaults.value)
  }

  /// Every head has keys and values; a head's last numbers are rotated; YaRN multiplies scores once more.
  func configuration(
    _ file: Configuration, options: TransformerConfiguration.Options, mixture: TransformerConfiguration.Mixture?
  ) throws(CheckpointError) -> TransformerConfiguration {
    let heads = try file.size("num_attention_heads")
    guard try file.size("num_key_value_heads", default: heads) == heads else {
      throw file.error(.unsupported, "\"num_key_value_heads\" other than the heads is not supported here")
    }
    var members = ConfigurationMembers(file.json.members ?? [])
    members.set("head_dim", .integer(plain + rotated))
    members.set("num_key_value_heads", .integer(heads))
    var options = options
    options.rotaryDimension = rotated
    var configuration = try TransformerConfiguration(
      Configuration(file: file.file, json: members.json), options: options, mixture: mixture)
    configuration.heads.valueDimension = value
    configuration.heads.rotatedStart = plain
    if case .yarn(let factor, _, _, _) = configuration.rotary.scaling, let scale = try scaleOfAll(file), factor > 1 {
      let magnitude = 0.1 * scale * log(factor) + 1
      configuration.multipliers.attention = Float(pow(Double(plain + rotated), -0.5) * magnitude * magnitude)
    }
    return configuration
  }

  /// YaRN's `mscale_all_dim`; zero counts as left out.
  private func scaleOfAll(_ file: Configuration) throws(CheckpointError) -> Double? {
    for key in ["rope_scaling", "rope_parameters"] {
      guard let value = file[key]?["mscale_all_dim"], !value.isNull, value.number != 0 else { continue }
      return try Configuration(file: file.file, json: file[key] ?? .null).number("mscale_all_dim")
    }
    return nil
  }

  func decoder(
    _ configuration: TransformerConfiguration, _ file: Configuration, contains: @escaping (String) -> Bool
  ) throws(CheckpointError) -> DecoderLayout {
    let hasBias = try file.flag("attention_bias", default: false)
    return DecoderLayout(
      configuration: configuration, contains: contains,
      otherAttention: { _, prefix in .latent(layout(configuration, prefix + "self_attn.", hasBias: hasBias)) },
      slidingWindows: try SlidingWindows.none(file, layers: configuration.layerCount))
  }

  /// - Parameter prefix: "model.layers.0.self_attn."
  private func layout(
    _ configuration: TransformerConfiguration, _ prefix: String, hasBias: Bool
  ) -> TensorLayout.LatentAttention {
    let (heads, hidden) = (configuration.heads.count, configuration.hiddenSize)
    func latent(_ name: String, _ norm: String, rows: Int, latent: Int) -> TensorLayout.LatentAttention.Latent {
      TensorLayout.LatentAttention.Latent(
        matrix: TensorReference.matrix(prefix + name + ".weight", rows, hidden),
        bias: hasBias ? TensorReference.vector(prefix + name + ".bias", rows) : nil,
        norm: TensorReference.vector(prefix + norm + ".weight", latent))
    }
    return TensorLayout.LatentAttention(
      queryDown: queryLatent.map { latent("q_a_proj", "q_a_layernorm", rows: $0, latent: $0) },
      query: TensorReference.matrix(
        prefix + (queryLatent == nil ? "q_proj" : "q_b_proj") + ".weight", heads * (plain + rotated),
        queryLatent ?? hidden),
      keyValueDown: latent(
        "kv_a_proj_with_mqa", "kv_a_layernorm", rows: keyValueLatent + rotated, latent: keyValueLatent),
      keyValueUp: TensorReference.matrix(prefix + "kv_b_proj.weight", heads * (plain + value), keyValueLatent),
      output: TensorReference.matrix(prefix + "o_proj.weight", hidden, heads * value),
      outputBias: hasBias ? TensorReference.vector(prefix + "o_proj.bias", hidden) : nil)
  }
}
