package import Foundation

/// A Mixtral checkpoint of a few kilobytes with seeded random weights. A test changes what it wants to be wrong, or
/// different, and writes it.
package struct TinyModel: Sendable {
  /// config.json, each value as JSON text.
  package var configuration: [String: String]
  package var tensors: [TinyTensor]

  package init(
    seed: UInt64 = 1, vocabularySize: Int = 320, hiddenSize: Int = 16, intermediateSize: Int = 24, layers: Int = 2,
    experts: Int = 2
  ) {
    configuration = [
      "model_type": #""mixtral""#, "hidden_act": #""silu""#, "vocab_size": "\(vocabularySize)",
      "hidden_size": "\(hiddenSize)", "intermediate_size": "\(intermediateSize)", "num_hidden_layers": "\(layers)",
      "num_attention_heads": "2", "num_key_value_heads": "1", "num_local_experts": "\(experts)",
      "num_experts_per_tok": "2",
      "rms_norm_eps": "1e-5", "rope_theta": "10000.0", "tie_word_embeddings": "false",
    ]
    var generator = SeededGenerator(seed: seed)
    var tensors: [TinyTensor] = []
    func add(_ name: String, _ shape: Int...) {
      let columns = Float(shape.last ?? 1)
      let scale = name == "model.embed_tokens.weight" || shape.count == 1 ? 1 : (3 / columns).squareRoot()
      tensors.append(TinyTensor(name: name, shape: shape, scale: scale, from: &generator))
    }
    add("model.embed_tokens.weight", vocabularySize, hiddenSize)
    for layer in 0..<layers {
      let prefix = "model.layers.\(layer)."
      add(prefix + "input_layernorm.weight", hiddenSize)
      add(prefix + "self_attn.q_proj.weight", hiddenSize, hiddenSize)
      add(prefix + "self_attn.k_proj.weight", hiddenSize / 2, hiddenSize)
      add(prefix + "self_attn.v_proj.weight", hiddenSize / 2, hiddenSize)
      add(prefix + "self_attn.o_proj.weight", hiddenSize, hiddenSize)
      add(prefix + "post_attention_layernorm.weight", hiddenSize)
      add(prefix + "block_sparse_moe.gate.weight", experts, hiddenSize)
      for expert in 0..<experts {
        let expertPrefix = prefix + "block_sparse_moe.experts.\(expert)."
        add(expertPrefix + "w1.weight", intermediateSize, hiddenSize)
        add(expertPrefix + "w2.weight", hiddenSize, intermediateSize)
        add(expertPrefix + "w3.weight", intermediateSize, hiddenSize)
      }
    }
    add("model.norm.weight", hiddenSize)
    add("lm_head.weight", vocabularySize, hiddenSize)
    self.tensors = tensors
  }

  /// Changes one tensor, which must be there.
  package mutating func change(_ name: String, _ body: (inout TinyTensor) -> Void) {
    guard let index = tensors.firstIndex(where: { $0.name == name }) else { preconditionFailure("no tensor \(name)") }
    body(&tensors[index])
  }

  /// Multiplies a tensor's bf16 numbers by 2¹⁶: logits then are so far apart that a perplexity leaves the range of
  /// doubles.
  package mutating func enlarge(_ name: String) {
    change(name) { tensor in
      for index in tensor.bytes.indices where index % 2 == 1 && tensor.bytes[index] & 0x7F != 0 {
        tensor.bytes[index] += 8
      }
    }
  }

  package mutating func remove(_ name: String) { tensors.removeAll { $0.name == name } }

  package var configurationText: String {
    "{" + configuration.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}\n"
  }

  // MARK: Files

  /// One file: config.json and model.safetensors. The folder is made.
  package func write(to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(configurationText.utf8).write(to: folder.appending(path: "config.json"))
    try Data(safetensors(tensors)).write(to: folder.appending(path: "model.safetensors"))
  }

  package static let shardNames = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]

  /// Two shards and their index; tensors go to them by turns.
  package func writeSharded(to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(configurationText.utf8).write(to: folder.appending(path: "config.json"))
    for shard in 0..<2 {
      let part = tensors.enumerated().filter { $0.offset % 2 == shard }.map(\.element)
      try Data(safetensors(part)).write(to: folder.appending(path: Self.shardNames[shard]))
    }
    try writeIndex(to: folder)
  }

  /// - Parameter shardName: Which shard the index names for a tensor, given the true one.
  package func writeIndex(to folder: URL, shardName: (_ tensor: String, _ name: String) -> String = { $1 }) throws {
    let map = tensors.enumerated().map { "\"\($1.name)\": \"\(shardName($1.name, Self.shardNames[$0 % 2]))\"" }
    let index = "{\"weight_map\": {\(map.joined(separator: ", "))}}"
    try Data(index.utf8).write(to: folder.appending(path: "model.safetensors.index.json"))
  }
}
