internal import ChatTemplates
internal import Checkpoints
package import Inference
package import Models
package import Tokenization
internal import Wording

/// Makes tokens of contexts and continuations exactly as lm-evaluation-harness 0.4.13 does for models of Hugging Face
/// (`TemplateLM._encode_pair`, `TemplateLM.loglikelihood`, `HFLM._loglikelihood_tokens`).
///
/// White space at the end of a context is moved to the continuation. The two are tokenized together, with the special
/// tokens that the tokenizer puts around a text, and the continuation is what stands behind as many tokens as the
/// context alone has. A text that is longer than the model's positions loses tokens at its beginning.
package struct QuestionEncoder: Sendable {
  private let tokenizer: Tokenizer
  /// Stands before a continuation without context.
  private let prefix: Int32?
  /// As a text may begin with it, which then gets no other.
  private let prefixText: String?
  /// Positions of the model.
  private let length: Int

  package init(_ model: Model, _ tokenizer: Tokenizer) throws {
    self.init(tokenizer, prefix: tokenizer.prefixToken, length: model.positions)
  }

  /// - Parameters:
  ///   - prefix: Stands before a continuation without context; nil where there is no such token.
  ///   - length: Positions of the model.
  package init(_ tokenizer: Tokenizer, prefix: Int32?, length: Int) {
    (self.tokenizer, self.prefix, self.length) = (tokenizer, prefix, length)
    prefixText = prefix.map { tokenizer.decode([$0]) }
  }

  /// The texts of a question's choices.
  ///
  /// - Parameter path: The file that it is from, for the error.
  /// - Throws: `InputError` for a choice that no token is left of.
  package func window(_ question: Question, number: Int?, of path: String) throws -> WindowBatch.Window {
    var contexts: [String: [Int32]] = [:]
    let texts = try question.pairs.map { pair in
      let context = String(pair.context.unicodeScalars[...].trimmingSuffix(while: \.isPythonSpace))
      let moved = String(pair.context.unicodeScalars.dropFirst(context.unicodeScalars.count))
      guard !context.isEmpty else { return try alone(moved + pair.continuation, question, path) }
      let before = try contexts[context] ?? encode(context)
      contexts[context] = before
      let whole = try encode(context + moved + pair.continuation)
      return try text(before, Array(whole.dropFirst(before.count)), question, path)
    }
    return WindowBatch.Window(texts: texts, number: number)
  }

  /// The texts of the choices without their question, by which mutual information is taken.
  package func windowWithoutContext(_ question: Question, number: Int?, of path: String) throws -> WindowBatch.Window {
    WindowBatch.Window(
      texts: try question.choices.map { try alone(" " + $0, question, path) }, number: number)
  }

  private func alone(_ continuation: String, _ question: Question, _ path: String) throws -> WindowBatch.Window.Text {
    guard let prefix else {
      throw InputError(
        "\(path), line \(question.line): a text without context needs a token that begins a text, and this tokenizer "
          + "names none")
    }
    let tokens = try tokenizer.encode(continuation, addSpecialTokens: false)
    let hasPrefix = tokens.first == prefix
    return try text(
      hasPrefix ? Array(tokens.prefix(1)) : [prefix], hasPrefix ? Array(tokens.dropFirst()) : tokens, question, path)
  }

  private func encode(_ text: String) throws -> [Int32] {
    let hasPrefix = prefixText.map { !$0.isEmpty && text.utf8.starts(with: $0.utf8) } ?? false
    return try tokenizer.encode(text, addSpecialTokens: !hasPrefix)
  }

  private func text(
    _ context: [Int32], _ continuation: [Int32], _ question: Question, _ path: String
  ) throws(InputError) -> WindowBatch.Window.Text {
    func failure(_ problem: String) -> InputError { InputError("\(path), line \(question.line): \(problem)") }
    guard !context.isEmpty else { throw failure("the context has no tokens") }
    guard !continuation.isEmpty else { throw failure("a choice has no token of its own behind its context") }
    guard continuation.count <= length else {
      throw failure("a choice of \(continuation.count) tokens is longer than the model's \(length) positions")
    }
    let tokens = (context + continuation).suffix(length + 1)
    return WindowBatch.Window.Text(tokens: Array(tokens), firstScored: tokens.count - continuation.count)
  }
}

extension Model {
  /// How many tokens of a text the model was made for; where its configuration does not say, as many as
  /// lm-evaluation-harness takes then.
  package var positions: Int {
    let named = checkpoint.configuration["max_position_embeddings"]?.integer
    return named.flatMap { $0 > 1 ? $0 : nil } ?? 2048
  }
}

extension BidirectionalCollection where SubSequence == Self {
  fileprivate func trimmingSuffix(while isTrimmed: (Element) -> Bool) -> Self {
    var rest = self
    while let last = rest.last, isTrimmed(last) { rest = rest.dropLast() }
    return rest
  }
}
