internal import ChatTemplates
package import Checkpoints
internal import Wording

/// A file of questions, one JSON object a line.
package struct QuestionFile: Sendable {
  package let path: String
  package let fingerprint: Fingerprint
  /// All of one kind.
  package let questions: [Question]

  package static let syntax =
    "{\"query\", \"choices\", \"gold\"}, {\"context_options\", \"continuation\", \"gold\"} or {\"context\", \"continuation\"}"

  /// - Parameters:
  ///   - suffix: Ends every query, as in "\nAnswer:".
  ///   - limit: Questions to read at most, the first ones; nil for all.
  /// - Throws: `InputError` for a line that is no question, with its number; for a file without any.
  package init(_ path: String, suffix: String = "", limit: Int? = nil) throws {
    let file = try MappedFile(path: path)
    var fingerprint = Fingerprint()
    var questions: [Question] = []
    try file.withBytes { bytes in
      fingerprint.update(bytes)
      var start = 0
      var number = 0
      while start < bytes.count, questions.count < limit ?? .max {
        number += 1
        let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        start = end + 1
        if line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
        do {
          let question = try Self.question(JSON(parsing: line), line: number, suffix: suffix)
          if let first = questions.first, (first.kind, first.hasQuery) != (question.kind, question.hasQuery) {
            throw InputError("a question of another kind than those before it; put them in two files")
          }
          questions.append(question)
        } catch {
          throw InputError("\(path), line \(number): \(error)")
        }
      }
    }
    guard !questions.isEmpty else { throw InputError("\(path): no questions in it; give lines of \(Self.syntax)") }
    (self.path, self.fingerprint, self.questions) = (path, fingerprint, questions)
  }

  private static func question(_ json: JSON, line: Int, suffix: String) throws(InputError) -> Question {
    func text(_ key: String) throws(InputError) -> String {
      guard let text = json[key]?.string else { throw InputError("\"\(key)\" should be a text") }
      return text
    }
    func texts(_ key: String) throws(InputError) -> [String] {
      let values = (json[key]?.array ?? []).map(\.string)
      let texts = values.compactMap(\.self)
      guard texts.count >= 2, texts.count == values.count else {
        throw InputError("\"\(key)\" should be two texts or more")
      }
      guard texts.allSatisfy({ !$0.isEmpty }) else { throw InputError("\"\(key)\" has an empty text") }
      return texts
    }
    func gold(_ count: Int) throws(InputError) -> Int {
      guard let gold = json["gold"]?.integer, (0..<count).contains(gold) else {
        throw InputError("\"gold\" should be the number of the right choice, from 0 to \(count - 1)")
      }
      return gold
    }
    if json["query"] != nil {
      let choices = try texts("choices")
      return Question(
        query: try text("query") + suffix, choices: choices, gold: try gold(choices.count), line: line)
    }
    if json["context_options"] != nil {
      let contexts = try texts("context_options")
      return Question(
        contexts: contexts, continuation: try text("continuation"), gold: try gold(contexts.count), line: line)
    }
    if json["context"] != nil {
      let continuation = try text("continuation")
      guard continuation.unicodeScalars.contains(where: { !$0.isPythonSpace }) else {
        throw InputError("\"continuation\" is empty")
      }
      return Question(context: try text("context"), continuation: continuation, line: line)
    }
    if json["messages"] != nil {
      throw InputError("a dialogue, which is scored by token as text is: give its file, named .jsonl, with --text")
    }
    throw InputError("not a question; give \(syntax)")
  }
}
