import Checkpoints
import Foundation
import Inference
import Models
import RankReduction
import Tensors

extension FuzzTarget {
  private static let fixtures = Corpus.folder + "/architectures"
  private static let architectures = [
    "llama-llama3", "mistral-window", "mixtral", "mixtral-stacked", "qwen2-window-yarn", "qwen2_moe",
    "qwen3-layer-types",
    "qwen3_moe-stacked", "olmoe", "phi3-window", "gemma3-parameters", "gemma4-mixture", "gpt_oss", "gpt_oss-mxfp4",
    "deepseek_v2-groups", "deepseek_v3-fp8", "ernie4_5_moe", "glm4_moe", "granitemoe", "olmo3", "qwen3_next",
    "qwen3_5_moe",
  ]

  private static let modelWords = [
    "mixtral", "llama", "qwen2_moe", "phi3", "yarn", "linear", "llama3", "longrope", "default", "sliding_attention",
    "full_attention", "F16", "BF16", "F32", "Q8_0", "Q4_K", "I8", "num_experts", "num_local_experts", "head_dim",
    "sliding_window", "rope_scaling", "factor", "mlp_only_layers", "decoder_sparse_step", "laser_factored",
    "model.layers.0.mlp.experts.gate_up_proj", "blk.0.ffn_gate_inp.weight", "expert_count", "a.safetensors",
    "../a.safetensors", "F8_E4M3", "U8", "fp8", "mxfp4", "quantization_config", "weight_block_size",
    "model.layers.0.mlp.experts.gate_up_proj_blocks", "proportional", "layer_types", "n_group", "topk_group",
    "kv_lora_rank", "v_head_dim", "linear_value_head_dim", "global_head_dim",
  ].map { Array($0.utf8) }

  // MARK: Hugging Face folders

  /// A folder described: config.json, tensors by name as [type, shape], and the map of an index if there is one. Their
  /// bytes are all the same.
  static let folder = FuzzTarget(
    name: "folder", seeds: [], pieces: modelWords,
    structure: Structure(seeds: architectures.compactMap(described)) { Array($0.compact.utf8) }
  ) { bytes, path in
    ending {
      let description = try JSON(parsing: bytes)
      let folder = path + ".folder"
      try write(description, to: folder)
      return try use(Model(path: folder))
    }
  }

  private static func described(_ name: String) -> JSON? {
    let path = "\(fixtures)/\(name)"
    guard let configuration = try? Configuration(path: path + "/config.json"),
      let file = try? SafetensorsFile(path: path + "/model.safetensors")
    else { return nil }
    let tensors = file.entries.map { JSON.Member(key: $0.name, value: shape($0.type, $0.shape)) }
    var members = [
      JSON.Member(key: "config", value: configuration.json), JSON.Member(key: "tensors", value: .object(tensors)),
    ]
    if name == "mixtral" {
      let map = tensors.enumerated().map { index, tensor in
        JSON.Member(key: tensor.key, value: .string(["a", "b"][index % 2] + ".safetensors"))
      }
      members.append(.init(key: "index", value: .object([.init(key: "weight_map", value: .object(map))])))
    }
    return .object(members)
  }

  private static func shape(_ type: String, _ shape: [Int]) -> JSON {
    .array([.string(type), .array(shape.map(JSON.integer))])
  }

  private static func write(_ description: JSON, to folder: String) throws {
    try? FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    func put(_ bytes: [UInt8], _ name: String) throws { try Data(bytes).write(to: URL(filePath: folder + "/" + name)) }
    try put(Array((description["config"] ?? .null).compact.utf8), "config.json")
    let tensors = description["tensors"]?.members ?? []
    guard let index = description["index"] else { return try put(safetensors(tensors), "model.safetensors") }
    try put(Array(index.compact.utf8), "model.safetensors.index.json")
    for (number, name) in ["a", "b"].enumerated() {
      let part = tensors.enumerated().filter { $0.offset % 2 == number }.map(\.element)
      try put(safetensors(part), name + ".safetensors")
    }
  }

  private static let byteCounts = ["F32": 4, "F64": 8, "I8": 1, "U8": 1, "F8_E4M3": 1]
  private static let largestData = 1 << 20

  /// As far as such tensors can be written: what has too many bytes gets none.
  private static func safetensors(_ tensors: [JSON.Member]) -> [UInt8] {
    var (offset, members) = (0, [JSON.Member]())
    for tensor in tensors {
      let type = tensor.value.array?.first?.string ?? "F16"
      let shape = tensor.value.array?.dropFirst().first?.array ?? []
      let count = shape.reduce(byteCounts[type] ?? 2) { count, size in
        let (product, overflows) = count.multipliedReportingOverflow(by: size.integer ?? 1)
        return overflows || !(0...largestData).contains(product) ? 0 : product
      }
      guard offset + count <= largestData else { continue }
      members.append(
        .init(
          key: tensor.key,
          value: .object([
            .init(key: "dtype", value: .string(type)), .init(key: "shape", value: .array(shape)),
            .init(key: "data_offsets", value: .array([.integer(offset), .integer(offset + count)])),
          ])))
      offset += count
    }
    let header = Array(JSON.object(members).compact.utf8)
    let length = UInt64(header.count)
    // As numbers of any type, small ones.
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header
      + Array(repeating: 0x3C, count: offset)
  }

  // MARK: GGUF

  /// A GGUF file described: metadata, and tensors by name as [type, shape].
  static let ggufModel = FuzzTarget(
    name: "gguf-model", seeds: [], pieces: modelWords,
    structure: Structure(seeds: architectures.compactMap(describedGGUF), encode: ggufFile)
  ) { _, path in
    // The format is told by the file's name.
    ending { try use(Model(path: path)) }
  }

  private static func describedGGUF(_ name: String) -> JSON? {
    let path = FileManager.default.temporaryDirectory.appending(path: "seed-\(UUID().uuidString).gguf").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    guard let model = try? Model(path: "\(fixtures)/\(name)"), let export = try? GGUFExport(model, type: nil),
      let output = try? GGUFExport.file(path, of: model, replacesExisting: false),
      (try? export.write(to: output, tokenizer: [])) != nil, let file = try? GGUFFile(path: path)
    else { return nil }
    let metadata = file.metadata.compactMap { member -> JSON.Member? in
      let value = member.value
      let json: JSON? =
        value.boolean.map(JSON.boolean) ?? value.string.map(JSON.string) ?? value.integer.map(JSON.integer)
        ?? value.number.map(JSON.number)
      return json.map { .init(key: member.key, value: $0) }
    }
    return .object([
      .init(key: "metadata", value: .object(metadata)),
      .init(
        key: "tensors",
        value: .object(file.tensors.map { .init(key: $0.name, value: shape($0.type.name, $0.shape)) })),
    ])
  }

  private static let ggufFile: @Sendable (JSON) -> [UInt8] = { description in
    let metadata = (description["metadata"]?.members ?? []).map { member -> GGUFFile.Member in
      let value: GGUFValue =
        switch member.value {
        case .boolean(let flag): .boolean(flag)
        case .string(let text): .string(text)
        case .number(let number): .float32(Float(number))
        case .array(let elements): .int32s(elements.map { Int32(truncatingIfNeeded: $0.integer ?? 0) })
        case let other:
          (other.integer ?? 0) < 0
            ? .int32(Int32(truncatingIfNeeded: other.integer ?? 0))
            : .uint64(
              UInt64(other.integer ?? 0))
        }
      return .init(key: member.key, value: value)
    }.filter { $0.key != "general.alignment" }
    var total = 0
    let tensors = (description["tensors"]?.members ?? []).compactMap { member -> GGUFWriter.Tensor? in
      let parts = member.value.array ?? []
      let shape = (parts.dropFirst().first?.array ?? []).map { $0.integer ?? 1 }
      let count = shape.reduce(1) { min($0, largestData) * min(max($1, 0), largestData) }
      guard let type = ElementType(rawValue: parts.first?.string ?? ""), shape.allSatisfy({ 0...largestData ~= $0 }),
        (shape.last ?? 1).isMultiple(of: type.blockSize), total + count * 4 <= largestData
      else { return nil }
      total += 4 * count
      return .init(name: member.key, type: GGUFTensorType(type), shape: shape)
    }
    let path = FileManager.default.temporaryDirectory.appending(path: "seed-\(UUID().uuidString).gguf").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let writer = GGUFWriter(metadata: metadata, tensors: tensors)
    guard
      (try? writer.write(to: path) { OwnedBytes(Array(repeating: 0x3C, count: $0.byteCount)) }) != nil,
      let bytes = FileManager.default.contents(atPath: path)
    else { return [] }
    return Array(bytes)
  }

  // MARK: Using a model

  /// Looks at all of a model, and runs a small one.
  private static func use(_ model: Model) throws -> String {
    let configuration = model.configuration
    _ = (model.checkpoint.fingerprint, model.checkpoint.byteCount, model.checkpoint.parameterCount)
    _ = (model.bytesOfStep, model.bytesOfStage)
    let reducer = try Reducer(model, base: nil)
    for site in model.sites.prefix(200) {
      _ = (model.reference(of: site), reducer.fullRank(of: site))
      try reducer.check([Reduction(site: site, kind: .weights, rank: 0)])
    }
    _ = try? GGUFExport(model, type: .f16)
    _ = try? FolderExport(model, type: nil)
    _ = try? model.withExpertsPerToken(1)
    let isSmall =
      model.checkpoint.parameterCount < 1 << 17 && configuration.layerCount <= 8 && configuration.heads.dimension <= 512
    if isSmall { _ = try? run(model) }
    return "\(configuration.layerCount) \(configuration.expertCount) \(model.sites.count) \(isSmall)"
  }

  private static func run(_ model: Model) throws {
    let tokens: [Int32] = [0, 1, 0]
    let forward = try ForwardPass(model, WindowBatch([WindowBatch.Window(tokens: tokens, firstScored: 1)]))
    let states = try forward.embeddings()
    for layer in 0..<model.configuration.layerCount { _ = try forward.run(layer: layer, states) }
    _ = try forward.logits(states)
    var continuation = Continuation(model, capacity: tokens.count)
    _ = try continuation.append(tokens)
  }
}

/// Files of the repository that targets begin with.
enum Corpus {
  static let folder = URL(filePath: #filePath).appending(path: "../../Fixtures").standardized.path

  static func json(_ name: String) -> JSON {
    guard let bytes = FileManager.default.contents(atPath: folder + "/" + name),
      let json = try? JSON(parsing: Array(bytes))
    else { fatalError("\(folder)/\(name) is missing or no JSON") }
    return json
  }
}
