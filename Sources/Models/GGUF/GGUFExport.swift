package import Checkpoints
internal import Tensors

/// Writes a model as a GGUF file: the inverse of `GGUFMetadata`.
///
/// Matrices are stored in one type, a mixture of types, or as they are; norms, biases and routers in F32. Experts are
/// stacked, and the rows of Llama's queries and keys interleaved. Tensors are made one at a time. Source: llama.cpp,
/// convert_hf_to_gguf.py.
package struct GGUFExport {
  let model: Model
  let gguf: GGUFArchitecture
  let fileType: GGUFFileType?
  let importance: ImportanceMatrix?
  let interleavesRows: Bool

  /// - Parameters:
  ///   - type: What matrices are stored in; nil for the types that the checkpoint stores.
  ///   - importance: By which types in blocks are quantised; nil for all columns alike.
  /// - Throws: `CheckpointError` for a model that llama.cpp would compute otherwise.
  package init(
    _ model: Model, type: GGUFFileType?, importance: ImportanceMatrix? = nil
  ) throws(CheckpointError) {
    self.model = model
    fileType = type
    self.importance = importance
    let file = model.checkpoint.configuration
    guard let gguf = model.architecture.gguf else {
      throw file.error(.unsupported, "a \"\(try file.string("model_type"))\" cannot be written as GGUF")
    }
    self.gguf = gguf
    interleavesRows = gguf.interleavesRows && !model.configuration.rotary.isInterleaved
    try refuseOtherComputation(file)
  }

  /// What GGUF has no words for, or what llama.cpp does not read.
  private func refuseOtherComputation(_ file: Configuration) throws(CheckpointError) {
    let layers = model.layout.layers
    if let mixture = model.configuration.mixture {
      let dense = layers.indices.filter { layers[$0].router == nil }
      guard dense.isEmpty || gguf.hasLeadingDenseLayers && dense == Array(0..<dense.count) else {
        throw file.error(.unsupported, "dense layers in a mixture cannot be written as GGUF")
      }
      // Only beside sigmoids a key says it, `expert_weights_norm`.
      guard mixture.normalizesWeights == gguf.normalizesWeights || gguf.gatingFunction != 1 else {
        throw file.error(.unsupported, "\"norm_topk_prob\": \(!gguf.normalizesWeights) cannot be written as GGUF")
      }
    }
    guard model.checkpoint.gguf == nil else { return }
    if gguf.normsKeysOfFullWidth, model.configuration.heads.keyWidth != model.configuration.hiddenSize {
      throw file.error(
        .unsupported, "fewer \"num_key_value_heads\" than heads cannot be written as GGUF for this architecture")
    }
    if let scale = gguf.attentionScale?(model.configuration),
      let own = model.configuration.multipliers.attention, abs(own / scale - 1) > 1e-6
    {
      throw file.error(.unsupported, "\"query_pre_attn_scalar\" cannot be written as GGUF: llama.cpp takes another")
    }
    if let interval = gguf.unrotatedInterval,
      layers.indices.contains(where: { layers[$0].isRotated == (($0 + 1) % interval == 0) })
    {
      throw file.error(.unsupported, "\"no_rope_layers\" other than every \(interval)th cannot be written as GGUF")
    }
    if !gguf.hasOutputBias, layers.contains(where: { $0.attention.heads?.outputBias != nil }) {
      throw file.error(.unsupported, "\"attention_bias\" cannot be written as GGUF for this architecture")
    }
    if let activation = gguf.activation, activation != model.configuration.activation {
      throw file.error(
        .unsupported, "\"swiglu_alpha\" and \"swiglu_limit\" other than llama.cpp's cannot be written as GGUF")
    }
    if let base = gguf.slidingBase,
      [model.configuration.rotary, model.configuration.slidingRotary].contains(where: {
        $0.map { $0.base != base } ?? false
      })
    {
      throw file.error(
        .unsupported, "\"rope_theta\" other than \(Int(base)) cannot be written as GGUF for this architecture")
    }
    if let pattern = gguf.slidingPattern {
      guard layers.indices.allSatisfy({ (layers[$0].slidingWindow == nil) == (($0 + 1) % pattern == 0) }) else {
        throw file.error(
          .unsupported, "windows in other layers than all but every \(pattern)th cannot be written as GGUF")
      }
      return
    }
    let window = layers.compactMap(\.slidingWindow).min()
    if let window, window < (try file.size("max_position_embeddings", default: 2048)) {
      throw file.error(
        .unsupported,
        "its sliding window of \(window) tokens cannot be written as GGUF; with \"sliding_window\": null it is "
          + "converted without")
    }
  }

  /// The file to write.
  ///
  /// - Parameter paths: Files and folders that it must not be, or lie in, beside the model's own.
  /// - Throws: `CheckpointError` if a GGUF file of the model may not be written there.
  package static func file(
    _ target: String, of model: Model, replacesExisting: Bool, protecting paths: [String] = []
  ) throws(CheckpointError) -> OutputFile {
    let own = [model.checkpoint.path] + (model.checkpoint.gguf?.files.map(\.file.path) ?? [])
    return try .gguf(target, replacesExisting: replacesExisting, inputs: own + paths)
  }

  /// - Parameters:
  ///   - tokenizer: Metadata of the vocabulary; a model in GGUF has its own.
  ///   - origin: Metadata `general.…` of where the model comes from; a model in GGUF keeps its own.
  ///   - importanceFile: Where the importance matrix was read from, if from a file.
  ///   - progress: Called with the bytes written and the bytes to write.
  package func write(
    to file: OutputFile, tokenizer: [GGUFFile.Member], origin: [GGUFFile.Member] = [],
    importanceFile: String? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(CheckpointError) {
    let tensors = self.tensors
    let types = try types(of: tensors)
    let factors = rotaryFactors
    var described = tensors.map { tensor in
      GGUFWriter.Tensor(
        name: tensor.name, type: GGUFTensorType(types[tensor.name] ?? .float32), shape: tensor.shape)
    }
    if let factors {
      described.append(GGUFWriter.Tensor(name: GGUFTensor.rotaryFactors, type: .init(.float32), shape: [factors.count]))
    }
    let sources = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
    let metadata = try self.metadata(
      tokenizer, origin: origin + (importance?.metadata(file: importanceFile) ?? []),
      matrixTypes: Set(tensors.filter { !$0.isVector }.compactMap { types[$0.name] }))
    let writer = GGUFWriter(metadata: metadata, tensors: described)
    try writer.write(to: file, from: model.checkpoint, progress: progress) { tensor throws(CheckpointError) in
      guard let source = sources[tensor.name] else {
        return OwnedBytes(
          (factors ?? []).flatMap { factor in
            withUnsafeBytes(of: factor.bitPattern.littleEndian) { Array($0) }
          })
      }
      return try bytes(source, as: types[tensor.name] ?? .float32)
    }
  }

  /// What each pair's frequency is divided by, where that is said by a tensor.
  private var rotaryFactors: [Float]? {
    var plain = model.configuration.rotary
    switch plain.scaling {
    case .none, .linear, .yarn, .proportional: return nil
    case .divided(let factors): return factors
    case .llama3:
      let scaled = plain.frequencies.radians
      plain.scaling = .none
      return zip(plain.frequencies.radians, scaled).map { $0 / $1 }
    }
  }
}
