package import Checkpoints

/// The vocabulary of a GGUF file as a Hugging Face folder carries it: tokenizer.json and tokenizer_config.json.
package struct TokenizerFiles {
  /// By name.
  package let files: [(name: String, text: String)]

  /// - Parameter maximumLength: How long a text may be, in tokens, as tokenizer_config.json says it.
  /// - Throws: `CheckpointError` for a vocabulary that is not read.
  package init(_ parts: GGUFParts, maximumLength: Int) throws(CheckpointError) {
    do throws(TokenizerError) {
      let vocabulary = try GGUFVocabulary(parts)
      files = [
        ("tokenizer.json", try vocabulary.tokenizerFile().indented + "\n"),
        ("tokenizer_config.json", Self.settings(vocabulary, parts, maximumLength: maximumLength).indented + "\n"),
      ]
    } catch {
      throw CheckpointError(.unsupported, file: parts.files[0].file.path, "\(error)")
    }
  }

  /// What transformers asks for beside tokenizer.json: which tokens are special in what way, and how a chat is written.
  private static func settings(_ vocabulary: GGUFVocabulary, _ parts: GGUFParts, maximumLength: Int) -> JSON {
    var members: [JSON.Member] = []
    func set(_ key: String, _ value: JSON?) { if let value { members.append(JSON.Member(key: key, value: value)) } }
    // The class that takes tokenizer.json as it is, whatever the model.
    set("tokenizer_class", .string("PreTrainedTokenizerFast"))
    for (key, name) in [("bos", "bos"), ("eos", "eos"), ("unknown", "unk"), ("padding", "pad")] {
      let id = parts["tokenizer.ggml.\(key)_token_id"]?.integer
      let token = id.flatMap { vocabulary.tokens.indices.contains($0) ? vocabulary.tokens[$0] : nil }
      set("\(name)_token", token.map { .string($0) })
    }
    set("model_max_length", .integer(maximumLength))
    set("clean_up_tokenization_spaces", .boolean(false))
    set("chat_template", parts["tokenizer.chat_template"]?.string.map { .string($0) })
    return .object(members)
  }
}
