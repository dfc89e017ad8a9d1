internal import Checkpoints

/// The text model of a checkpoint that reads images too.
enum TextModel {
  /// By the `model_type` of the whole, that of its text model where config.json does not say it.
  static let modelTypes = [
    "gemma3": "gemma3_text", "gemma4": "gemma4_text", "mistral3": "mistral", "qwen3_5": "qwen3_5_text",
    "qwen3_5_moe": "qwen3_5_moe_text",
  ]

  /// What the text model's class takes for keys that published checkpoints of the whole leave out.
  private static let defaults = [
    "gemma3_text": ["vocab_size": 262_208, "num_attention_heads": 8, "max_position_embeddings": 131_072]
  ]

  /// What config.json says of the text model, in the place where other models have it; nil for a model of text alone.
  static func configuration(_ file: Configuration) throws(CheckpointError) -> Configuration? {
    guard let modelType = file["model_type"]?.string, let textType = modelTypes[modelType] else { return nil }
    guard let text = file["text_config"]?.members else {
      throw file.error(.malformed, "\"text_config\" is missing or not an object")
    }
    var members = ConfigurationMembers(text)
    members.setIfMissing("model_type", .string(textType))
    for (key, value) in (defaults[textType] ?? [:]).sorted(by: { $0.key < $1.key }) {
      members.setIfMissing(key, .integer(value))
    }
    // Both say it of the text model's matrices.
    let ties = file["tie_word_embeddings"] ?? members.json["tie_word_embeddings"]
    members.set("tie_word_embeddings", ties ?? .boolean(["gemma3", "gemma4", "mistral3"].contains(modelType)))
    for key in ["architectures", "quantization_config", "torch_dtype", "dtype", "eos_token_id", "bos_token_id"] {
      if let value = file[key] { members.set(key, value) }
    }
    return Configuration(file: file.file, json: members.json)
  }
}

/// What the names of a text model's tensors begin with, alone or as part of a larger model.
struct TextModelNames {
  /// "model."
  let prefix: String
  /// The output matrix.
  let head: String

  private static let known = [
    TextModelNames(prefix: "model.", head: "lm_head.weight"),
    TextModelNames(prefix: "language_model.model.", head: "language_model.lm_head.weight"),
    TextModelNames(prefix: "model.language_model.", head: "lm_head.weight"),
  ]

  private init(prefix: String, head: String) { (self.prefix, self.head) = (prefix, head) }

  /// - Parameter contains: Whether the checkpoint has a tensor of a name.
  init(contains: (String) -> Bool) {
    self = Self.known.first { contains($0.embedding) } ?? Self.known[0]
  }

  var embedding: String { prefix + "embed_tokens.weight" }
}
