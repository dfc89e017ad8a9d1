internal import Checkpoints
internal import Tensors

extension MergedMixture {
  /// Keys of dense models that a mixture does not have, and what would lead to other code or another place.
  private static let dropped = [
    "_name_or_path", "attention_bias", "auto_map", "mlp_bias", "pretraining_tp", "quantization_config",
    "rope_interleaved",
  ]

  /// config.json of a mixture: the base's, in its order, as the mixture's architecture has it. What the base leaves to
  /// its own architecture's defaults is written out, for the mixture's are others.
  static func description(
    of family: Family, base: Model, expertCount: Int, expertsPerToken: Int, type: ElementType
  ) -> JSON {
    let file = base.checkpoint.configuration
    var members = ConfigurationMembers((file.json.members ?? []).filter { !dropped.contains($0.key) })
    members.set("architectures", .array([.string(family.architecture.className)]))
    members.set("model_type", .string(family.modelType))
    // transformers 5 writes "dtype".
    members.set(
      file.isAbsent("dtype") ? "torch_dtype" : "dtype", type.configurationName.map { .string($0) } ?? .null)
    members.set("num_key_value_heads", .integer(base.configuration.heads.keyValueCount))
    // A stale flag would hide the output matrix from programs that do not look for it.
    if file["tie_word_embeddings"] != nil, !base.configuration.tiesEmbeddings {
      members.set("tie_word_embeddings", .boolean(false))
    }
    members.setIfMissing("rms_norm_eps", .number(1e-6))
    if file["rope_parameters"] == nil { members.setIfMissing("rope_theta", .number(10_000)) }
    let described = MergeBase(
      configuration: base.configuration, layout: base.layout, defaults: base.architecture.merged?.defaults ?? [])
    family.architecture.describe(described, expertCount: expertCount, in: &members)
    members.set("num_experts_per_tok", .integer(expertsPerToken))
    // For those who train it further.
    members.set("output_router_logits", .boolean(false))
    members.set("router_aux_loss_coef", .number(0.01))
    return members.json
  }
}
