import Checkpoints
import Foundation
import Tensors
import Testing

/// Writes one of the fixtures of architectures as llama.cpp's converter would: its names, experts stacked or (as in older
/// files) one by one, rows of queries and keys in the order that Llama's files have.
struct GGUFConversion {
  let architecture: String
  let config: [String: Any]
  let file: SafetensorsFile
  var stacksExperts = true
  /// In place of those that config.json asks for.
  var rotaryFactors: [Float]?

  init(of folder: String, architecture: String) throws {
    self.architecture = architecture
    let bytes = try Data(contentsOf: URL(filePath: folder + "/config.json"))
    config = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    file = try SafetensorsFile(path: folder + "/model.safetensors")
  }

  private struct Tensor {
    let name: String
    let type: ElementType
    var shape: [Int]
    var bytes: [UInt8]
  }

  private func integer(_ key: String) -> Int? { config[key] as? Int }

  func write(to path: String) throws {
    var tensors: [Tensor] = []
    for entry in file.entries {
      let type = try #require(ElementType(rawValue: entry.type))
      var bytes = file.file.region(entry.bytes).withBytes { Array($0) }
      if architecture == "llama", let heads = heads(entry.name) {
        bytes = interleaved(bytes, heads: heads, rows: entry.shape[0])
      }
      let name = try #require(ggufName(entry.name))
      // Experts come in the order of their numbers only if they are put so.
      tensors.append(Tensor(name: name, type: type, shape: entry.shape, bytes: bytes))
    }
    if stacksExperts { tensors = stacked(tensors) }
    if let factors = rotaryFactors ?? llama3Factors() {
      let bytes = factors.flatMap { factor in withUnsafeBytes(of: factor.bitPattern.littleEndian) { Array($0) } }
      tensors.append(Tensor(name: "rope_freqs.weight", type: .float32, shape: [factors.count], bytes: bytes))
    }
    let writer = GGUFWriter(
      metadata: metadata(),
      tensors: tensors.map { .init(name: $0.name, type: GGUFTensorType($0.type), shape: $0.shape) })
    let contents = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.bytes) })
    try writer.write(to: path) { tensor throws(CheckpointError) in OwnedBytes(contents[tensor.name] ?? []) }
  }

  private func metadata() -> [GGUFFile.Member] {
    var members = [GGUFFile.Member(key: "general.architecture", value: .string(architecture))]
    func add(_ key: String, _ value: GGUFValue?) {
      if let value { members.append(.init(key: "\(architecture).\(key)", value: value)) }
    }
    let sizes = [
      ("embedding_length", "hidden_size"), ("block_count", "num_hidden_layers"),
      ("attention.head_count", "num_attention_heads"), ("attention.head_count_kv", "num_key_value_heads"),
      ("attention.key_length", "head_dim"), ("attention.value_length", "head_dim"),
      ("feed_forward_length", "intermediate_size"), ("expert_count", "num_experts"),
      ("expert_count", "num_local_experts"), ("expert_used_count", "num_experts_per_tok"),
      ("expert_feed_forward_length", "moe_intermediate_size"),
      ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
      ("context_length", "max_position_embeddings"),
    ]
    for (key, name) in sizes { add(key, integer(name).map { .uint32(UInt32($0)) }) }
    add("attention.layer_norm_rms_epsilon", (config["rms_norm_eps"] as? Double).map { .float32(Float($0)) })
    add("rope.freq_base", (config["rope_theta"] as? Double).map { .float32(Float($0)) })
    if let normalizes = config["norm_topk_prob"] as? Bool { add("expert_weights_norm", .boolean(normalizes)) }
    if let scaling = config["rope_scaling"] as? [String: Any], let factor = scaling["factor"] as? Double,
      let kind = (scaling["rope_type"] ?? scaling["type"]) as? String, kind != "llama3"
    {
      add("rope.scaling.type", .string(kind))
      add("rope.scaling.factor", .float32(Float(factor)))
      let positions = scaling["original_max_position_embeddings"] as? Int
      add("rope.scaling.original_context_length", positions.map { .uint32(UInt32($0)) })
    }
    return members
  }

  /// Llama 3.1's scaling as llama.cpp has it: each pair's frequency is divided by a factor.
  private func llama3Factors() -> [Float]? {
    guard let scaling = config["rope_scaling"] as? [String: Any], scaling["rope_type"] as? String == "llama3",
      let factor = scaling["factor"] as? Double, let low = scaling["low_freq_factor"] as? Double,
      let high = scaling["high_freq_factor"] as? Double, let base = config["rope_theta"] as? Double,
      let positions = scaling["original_max_position_embeddings"] as? Double,
      let heads = integer("num_attention_heads"),
      let hidden = integer("hidden_size")
    else { return nil }
    let dimension = integer("head_dim") ?? hidden / heads
    return (0..<dimension / 2).map { pair in
      let length = 2 * Double.pi * pow(base, Double(2 * pair) / Double(dimension))
      if length < positions / high { return 1 }
      if length > positions / low { return Float(factor) }
      let smooth = (positions / length - low) / (high - low)
      return Float(1 / ((1 - smooth) / factor + smooth))
    }
  }

  // MARK: Names

  private func ggufName(_ name: String) -> String? {
    let whole = [
      "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
      "lm_head.weight": "output.weight",
    ]
    if let name = whole[name] { return name }
    var result = name
    for (old, new) in [
      ("model.layers.", "blk."), ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
      ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"), ("self_attn.q_proj", "attn_q"),
      ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
      ("block_sparse_moe.", "mlp."), (".w1.", ".gate_proj."), (".w3.", ".up_proj."), (".w2.", ".down_proj."),
      ("mlp.shared_expert_gate", "ffn_gate_inp_shexp"), ("mlp.gate.", "ffn_gate_inp."),
    ] { result = result.replacing(old, with: new) }
    for role in ["gate", "up", "down"] {
      result = result.replacing("mlp.shared_expert.\(role)_proj", with: "ffn_\(role)_shexp")
      result = result.replacing("mlp.\(role)_proj", with: "ffn_\(role)")
      if let range = result.range(of: "mlp.experts."), result.contains(".\(role)_proj.") {
        let number = result[range.upperBound...].prefix { $0 != "." }
        result = String(result[..<range.lowerBound]) + "ffn_\(role).\(number).weight"
      }
    }
    return result.contains("mlp") || result.contains("model") ? nil : result
  }

  private func heads(_ name: String) -> Int? {
    if name.contains("self_attn.q_proj") { return integer("num_attention_heads") }
    return name.contains("self_attn.k_proj") ? integer("num_key_value_heads") : nil
  }

  /// Row (head, half, pair) goes to (head, pair, half).
  private func interleaved(_ bytes: [UInt8], heads: Int, rows: Int) -> [UInt8] {
    let (size, half) = (bytes.count / rows, rows / heads / 2)
    return (0..<rows).flatMap { row in
      let (head, place) = (row / (2 * half), row % (2 * half))
      let old = head * 2 * half + place % 2 * half + place / 2
      return bytes[old * size..<(old + 1) * size]
    }
  }

  /// "blk.0.ffn_gate.3.weight" and its like on top of each other: "blk.0.ffn_gate_exps.weight".
  private func stacked(_ tensors: [Tensor]) -> [Tensor] {
    var result: [Tensor] = []
    var stacks: [String: [Int: Tensor]] = [:]
    for tensor in tensors {
      let words = tensor.name.split(separator: ".")
      guard words.count == 5, let number = Int(words[3]) else {
        result.append(tensor)
        continue
      }
      stacks["blk.\(words[1]).\(words[2])_exps.weight", default: [:]][number] = tensor
    }
    for (name, experts) in stacks.sorted(by: { $0.key < $1.key }) {
      let ordered = experts.sorted { $0.key < $1.key }.map(\.value)
      result.append(
        Tensor(
          name: name, type: ordered[0].type, shape: [ordered.count] + ordered[0].shape, bytes: ordered.flatMap(\.bytes))
      )
    }
    return result
  }
}
