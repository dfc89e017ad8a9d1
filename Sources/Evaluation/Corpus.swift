internal import ChatTemplates
package import Checkpoints
package import Tokenization
internal import Wording

/// A text as a model reads it: its name and its tokens.
package struct Corpus: Sendable {
  /// The file's path as it was given.
  package let path: String
  package let tokens: [Int32]
  package let fingerprint: Fingerprint
  /// Of the file; 0 for tokens that come from none.
  package let byteCount: Int
  /// Parts between runs of white space, as lm-evaluation-harness counts words; 0 for tokens that come from no text.
  package let wordCount: Int
  /// The dialogues of a file of such; nil for a text.
  package let documents: [ScoredDocument]?

  /// The last part of the path: what tables show.
  package var name: String { fileName(path) }

  package init(
    path: String, tokens: [Int32], fingerprint: Fingerprint = Fingerprint(), byteCount: Int = 0, wordCount: Int = 0,
    documents: [ScoredDocument]? = nil
  ) {
    (self.path, self.tokens, self.fingerprint) = (path, tokens, fingerprint)
    (self.byteCount, self.wordCount, self.documents) = (byteCount, wordCount, documents)
  }

  /// Reads a UTF-8 text and tokenizes it whole; or dialogues: a file named .jsonl whose first line is one.
  ///
  /// - Parameter model: Whose chat template writes dialogues.
  package init(file path: String, tokenizer: Tokenizer, model: String? = nil) throws {
    let file = try MappedFile(path: path)
    var fingerprint = Fingerprint()
    let text = file.withBytes { bytes in
      fingerprint.update(bytes)
      return String(validating: bytes, as: UTF8.self)
    }
    guard let text else {
      throw InputError("\(path): not UTF-8 text; convert it, for example with iconv -t UTF-8")
    }
    let lines = path.hasSuffix(".jsonl") ? Self.lines(text) : []
    guard lines.first?.json?["messages"] != nil else {
      self.init(
        path: path, tokens: try tokenizer.encode(text), fingerprint: fingerprint, byteCount: file.byteCount,
        wordCount: Self.wordCount(text))
      return
    }
    guard let model else { throw InputError("\(path): dialogues, which need a model's chat template") }
    let encoder = DialogueEncoder(template: try ChatTemplate(path: model), tokenizer: tokenizer)
    var documents: [ScoredDocument] = []
    for line in lines {
      do {
        guard let json = line.json else { throw InputError("not JSON; give \(Dialogue.syntax)") }
        documents.append(try encoder.document(Dialogue(json)))
      } catch {
        throw InputError("\(path), line \(line.number): \(error)")
      }
    }
    self.init(
      path: path, tokens: documents.flatMap(\.tokens), fingerprint: fingerprint, byteCount: file.byteCount,
      documents: documents)
  }

  private struct Line {
    let number: Int
    let text: Substring.UTF8View

    var json: JSON? { try? JSON(parsing: Array(text)) }
  }

  /// Those that are not empty.
  private static func lines(_ text: String) -> [Line] {
    text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
      .map { Line(number: $0.offset + 1, text: $0.element) }
      .filter { line in !line.text.allSatisfy { [0x20, 0x09, 0x0D].contains($0) } }
  }

  private static func wordCount(_ text: String) -> Int {
    var count = 1
    var isSpace = false
    for scalar in text.unicodeScalars {
      let wasSpace = isSpace
      // Most are letters, which need no table.
      isSpace = !("a"..."z").contains(scalar) && scalar.isPythonSpace
      if isSpace, !wasSpace { count += 1 }
    }
    return count
  }
}
