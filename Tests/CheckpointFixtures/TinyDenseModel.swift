extension TinyModel {
  /// A dense Mistral of a few kilobytes: the kind of model that experts are made of.
  package static func dense(
    seed: UInt64 = 1, type: String = "mistral", vocabularySize: Int = 320, hiddenSize: Int = 16,
    intermediateSize: Int = 24, layerCount: Int = 2
  ) -> TinyModel {
    var model = TinyModel(
      seed: seed, vocabularySize: vocabularySize, hiddenSize: hiddenSize, intermediateSize: intermediateSize)
    for key in ["num_local_experts", "num_experts_per_tok"] { model.configuration[key] = nil }
    model.configuration["model_type"] = "\"\(type)\""
    model.configuration["num_hidden_layers"] = "\(layerCount)"
    if type == "mistral" { model.configuration["sliding_window"] = "null" }
    let names = ["w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"]
    model.tensors = model.tensors.compactMap { tensor in
      var tensor = tensor
      let parts = tensor.name.split(separator: ".").map(String.init)
      if parts.count > 2, parts[1] == "layers", let number = Int(parts[2]), number >= layerCount { return nil }
      guard parts.count > 3, parts[3] == "block_sparse_moe" else { return tensor }
      // The first expert becomes the dense layer.
      guard parts[4] == "experts", parts[5] == "0", let name = names[parts[6]] else { return nil }
      tensor.name = "model.layers.\(parts[2]).mlp.\(name).weight"
      return tensor
    }
    if type == "qwen2" { model.addProjectionBiases(seed: seed) }
    if type == "qwen3" { model.addHeadNorms(seed: seed, hiddenSize: hiddenSize) }
    return model
  }

  /// As Qwen3 has them: on each head's queries and keys.
  private mutating func addHeadNorms(seed: UInt64, hiddenSize: Int) {
    var generator = SeededGenerator(seed: seed &+ 2000)
    configuration["head_dim"] = "\(hiddenSize / 2)"
    for tensor in tensors where tensor.name.hasSuffix("q_proj.weight") || tensor.name.hasSuffix("k_proj.weight") {
      let name = tensor.name.replacing("_proj.weight", with: "_norm.weight")
      tensors.append(TinyTensor(name: name, shape: [hiddenSize / 2], scale: 1, from: &generator))
    }
  }

  /// As Qwen2 has them: of queries, keys and values, and large enough to matter.
  private mutating func addProjectionBiases(seed: UInt64) {
    var generator = SeededGenerator(seed: seed &+ 1000)
    let projections = tensors.filter { tensor in
      ["q_proj.weight", "k_proj.weight", "v_proj.weight"].contains { tensor.name.hasSuffix($0) }
    }
    tensors += projections.map { tensor in
      TinyTensor(
        name: tensor.name.replacing(".weight", with: ".bias"), shape: [tensor.shape[0]], scale: 1, from: &generator)
    }
  }
}
