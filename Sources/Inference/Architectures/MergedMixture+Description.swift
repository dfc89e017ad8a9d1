internal import Checkpoints
internal import Tensors

extension MergedMixture {
  /// config.json of a mixture: the base's, in its order, as the mixture's architecture has it. What the base leaves to its
  /// own architecture's defaults is written out, for the mixture's are others.
  struct Description {
    let base: Model
    let expertCount: Int
    let expertsPerToken: Int
    let type: ElementType

    /// Keys of dense models that a mixture does not have, and what would lead to other code or another place.
    private static let dropped = [
      "_name_or_path", "attention_bias", "auto_map", "mlp_bias", "pretraining_tp", "quantization_config",
      "rope_interleaved",
    ]

    func configuration(_ family: Family) throws(CheckpointError) -> JSON {
      let file = base.checkpoint.configuration
      var members = Members((file.json.members ?? []).filter { !Self.dropped.contains($0.key) })
      members.set("architectures", .array([.string(family == .mixtral ? "MixtralForCausalLM" : "Qwen2MoeForCausalLM")]))
      members.set("model_type", .string(family == .mixtral ? Mixtral.modelTypes[0] : Qwen2MoE.modelTypes[0]))
      // transformers 5 writes "dtype".
      members.set(
        file.isAbsent("dtype") ? "torch_dtype" : "dtype", type.configurationName.map { .string($0) } ?? .null)
      members.set("num_key_value_heads", .integer(base.configuration.keyValueHeadCount))
      members.setIfMissing("rms_norm_eps", .number(1e-6))
      if file["rope_parameters"] == nil { members.setIfMissing("rope_theta", .number(10_000)) }
      switch family {
      case .mixtral: try describeMixtral(file, &members)
      case .qwen2MoE: describeQwen2MoE(&members)
      }
      members.set("num_experts_per_tok", .integer(expertsPerToken))
      // For those who train it further.
      members.set("output_router_logits", .boolean(false))
      members.set("router_aux_loss_coef", .number(0.01))
      return .object(members.all)
    }

    private func describeMixtral(_ file: Configuration, _ members: inout Members) throws(CheckpointError) {
      if try Llama.modelTypes.contains(file.string("model_type")) {
        members.set("sliding_window", .null)
        members.setIfMissing("max_position_embeddings", .integer(2048))
      } else if file.isAbsent("sliding_window") {
        members.set("sliding_window", .integer(4096))  // null says none
      }
      members.set("num_local_experts", .integer(expertCount))
    }

    private func describeQwen2MoE(_ members: inout Members) {
      // Both count windows only if told to, and then in other layers: the layers are named.
      let windows = base.layout.layers.map(\.slidingWindow)
      let size = windows.compactMap(\.self).first
      members.set("use_sliding_window", .boolean(size != nil))
      if let size {
        members.set("sliding_window", .integer(size))
        members.set(
          "layer_types", .array(windows.map { .string($0 == nil ? "full_attention" : "sliding_attention") }))
      }
      let width = JSON.integer(base.configuration.intermediateSize)
      members.set("moe_intermediate_size", width)
      members.set("shared_expert_intermediate_size", width)
      members.set("decoder_sparse_step", .integer(1))
      members.set("mlp_only_layers", .array([]))
      members.set("norm_topk_prob", .boolean(true))
      members.set("qkv_bias", .boolean(true))
      members.set("num_experts", .integer(expertCount))
    }
  }

  private struct Members {
    private(set) var all: [JSON.Member]

    init(_ all: [JSON.Member]) { self.all = all }

    mutating func set(_ key: String, _ value: JSON) {
      let member = JSON.Member(key: key, value: value)
      if let index = all.firstIndex(where: { $0.key == key }) { all[index] = member } else { all.append(member) }
    }

    /// Null is missing.
    mutating func setIfMissing(_ key: String, _ value: JSON) {
      if all.first(where: { $0.key == key })?.value.isNull != false { set(key, value) }
    }
  }
}
