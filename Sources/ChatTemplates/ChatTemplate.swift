package import Checkpoints
package import Tokenization

/// How a model's files say that a chat becomes a text: a template in a part of Jinja's language, run as transformers
/// runs it (`apply_chat_template`) without tools and documents.
///
/// `strftime_now`, which transformers has, is not defined: templates that can do without today's date do, so that a
/// dialogue's numbers are the same every day.
package struct ChatTemplate {
  private let statements: [TemplateStatement]
  private let tokens: [(name: String, text: String)]

  /// - Throws: `TemplateError` for what Jinja would not read, or what is not supported, with its line.
  package init(_ source: ChatTemplateSource) throws(TemplateError) {
    statements = try TemplateParser.statements(of: source.template)
    tokens = source.tokens
  }

  /// The template of a model's folder or GGUF file.
  ///
  /// - Throws: `CheckpointError` with the path, also for a model without a template.
  package init(path: String) throws {
    guard let source = try ChatTemplateSource(path: path) else {
      throw CheckpointError(
        .notFound, file: path, "has no chat template; give a model that was made for chats, or plain text")
    }
    do throws(TemplateError) {
      self = try ChatTemplate(source)
    } catch {
      throw CheckpointError(.unsupported, file: path, "\(error)")
    }
  }

  /// - Parameters:
  ///   - messages: Objects with `role` and `content`, and whatever else the template reads.
  ///   - promptsAnswer: Whether the text ends with what begins an answer.
  /// - Throws: `TemplateError` where the template refuses the messages or does what is not supported.
  package func text(of messages: [JSON], promptsAnswer: Bool = false) throws(TemplateError) -> String {
    var values: [String: TemplateValue] = [
      "messages": .list(messages.map { .dictionary(TemplateDictionary(Self.members($0))) }),
      "add_generation_prompt": .boolean(promptsAnswer), "tools": .none, "documents": .none,
    ]
    for token in tokens { values[token.name] = .string(token.text) }
    var interpreter = TemplateInterpreter(values)
    try interpreter.run(statements)
    return interpreter.output
  }

  /// Members that are null count as absent, and reasoning is found by each of its names, as in transformers 5.24.
  private static func members(_ message: JSON) -> [(String, TemplateValue)] {
    var members = (message.members ?? []).filter { !$0.value.isNull }.map { ($0.key, TemplateValue($0.value)) }
    let reasoning = ["reasoning_content", "thinking", "reasoning"].lazy.compactMap { name in
      members.first { $0.0 == name }?.1
    }.first
    if let reasoning {
      if !members.contains(where: { $0.0 == "thinking" }) { members.insert(("thinking", reasoning), at: 0) }
      members.append(("reasoning_content", reasoning))
    }
    return members
  }
}
