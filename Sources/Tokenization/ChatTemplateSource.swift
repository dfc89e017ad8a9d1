internal import Checkpoints

/// The chat template that a model's files carry, and the tokens that it may name.
package struct ChatTemplateSource {
  package let template: String
  /// As templates name them, `bos_token` and its like.
  package let tokens: [(name: String, text: String)]

  package init(template: String, tokens: [(name: String, text: String)] = []) {
    (self.template, self.tokens) = (template, tokens)
  }

  /// Of a folder: chat_template.jinja, or else the entry of tokenizer_config.json, of several the one named "default".
  /// Of a GGUF file: its metadata. Nil where neither has one.
  package init?(path: String) throws {
    if let parts = try ggufModel(path) {
      guard let template = parts["tokenizer.chat_template"]?.string else { return nil }
      let texts = parts["tokenizer.ggml.tokens"]?.strings ?? []
      self.init(
        template: template,
        tokens: ["bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"].sorted { $0.key < $1.key }.compactMap {
          name, key in
          let id = parts["tokenizer.ggml.\(key)_token_id"]?.integer
          return id.flatMap { texts.indices.contains($0) ? ("\(name)_token", texts[$0]) : nil }
        })
      return
    }
    let folder = try TokenizerFolder(path)
    let declared = try folder.declared
    guard let template = try folder.chatTemplate ?? Self.template(declared.settings?.member("chat_template")?.json)
    else {
      return nil
    }
    self.init(
      template: template,
      tokens: ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].compactMap { name in
        let entry = [declared.settings, declared.specialTokens].lazy.compactMap { $0?.member("\(name)_token")?.json }
          .first
        return (entry?.string ?? entry?["content"]?.string).map { ("\(name)_token", $0) }
      })
  }

  private static func template(_ json: JSON?) -> String? {
    json?.string ?? json?.array?.first { $0["name"]?.string == "default" }?["template"]?.string
  }
}
