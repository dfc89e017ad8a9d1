internal import ChatTemplates
internal import Checkpoints
internal import Tokenization
internal import Wording

/// Makes tokens of dialogues: a model's chat template writes the text, the tokenizer reads it whole, and what is scored are
/// the tokens of a message's content with the special token that ends it.
struct DialogueEncoder {
  let template: ChatTemplate
  let tokenizer: Tokenizer

  /// Stands for a content to find where the template puts it: no template has it, and none takes part of it away.
  private static let mark = "\u{2E28}content\u{2E29}"

  func document(_ dialogue: Dialogue) throws -> ScoredDocument {
    let text = try text(of: dialogue.messages)
    let tokens = try tokenizer.encode(text, addSpecialTokens: false)
    var scored: [Range<Int>] = []
    for index in dialogue.messages.indices where dialogue.isScored[index] {
      let (before, after) = try surroundings(of: index, in: dialogue.messages, text)
      let bytes = Array(text.utf8)
      func count(_ end: Int) throws -> Int {
        let beginning = try tokenizer.encode(String(decoding: bytes[..<end], as: UTF8.self), addSpecialTokens: false)
        return zip(beginning, tokens).prefix { $0 == $1 }.count
      }
      // A token that lies on a border belongs to what stands behind it.
      let first = max(1, try count(before))
      var end = max(first, try count(bytes.count - after))
      if end < tokens.count, tokenizer.isSpecial(tokens[end]) { end += 1 }
      let start = max(first, scored.last?.upperBound ?? 0)
      if start < end { scored.append(start..<end) }
    }
    guard !scored.isEmpty else { throw InputError("the scored messages have no tokens") }
    return ScoredDocument(tokens: tokens, scored: scored)
  }

  private func text(of messages: [JSON]) throws(InputError) -> String {
    do throws(TemplateError) { return try template.text(of: messages) } catch { throw InputError("\(error)") }
  }

  /// Bytes of the text before a message's content and behind it: those that stay when the content is another.
  private func surroundings(
    of index: Int, in messages: [JSON], _ text: String
  ) throws(InputError) -> (before: Int, after: Int) {
    var marked = messages
    marked[index] = .object(
      (messages[index].members ?? []).map {
        $0.key == "content" ? JSON.Member(key: $0.key, value: .string(Self.mark)) : $0
      })
    let (whole, mark) = (Array(text.utf8), Array(Self.mark.utf8))
    let other = Array(try self.text(of: marked).utf8)
    let places = other.indices.filter { other[$0] == mark[0] && other[$0...].starts(with: mark) }
    guard places.count == 1 else {
      throw InputError(
        "the chat template writes the content of message \(index + 1) \(places.isEmpty ? "not at all" : "twice"), so it "
          + "cannot be scored")
    }
    let (before, after) = (other[..<places[0]], other[(places[0] + mark.count)...])
    guard before.count + after.count <= whole.count, whole.starts(with: before),
      whole.reversed().starts(with: after.reversed())
    else {
      throw InputError(
        "the chat template writes other messages differently by the content of message \(index + 1), so it cannot be "
          + "scored")
    }
    return (before.count, after.count)
  }
}
