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

  /// The last part of the path: what tables show.
  package var name: String { fileName(path) }

  package init(path: String, tokens: [Int32], fingerprint: Fingerprint = Fingerprint(), byteCount: Int = 0) {
    self.path = path
    self.tokens = tokens
    self.fingerprint = fingerprint
    self.byteCount = byteCount
  }

  /// Reads a UTF-8 text and tokenizes it whole.
  package init(file path: String, tokenizer: Tokenizer) throws {
    let file = try MappedFile(path: path)
    var fingerprint = Fingerprint()
    let text = file.withBytes { bytes in
      fingerprint.update(bytes)
      return String(validating: bytes, as: UTF8.self)
    }
    guard let text else {
      throw InputError("\(path): not UTF-8 text; convert it, for example with iconv -t UTF-8")
    }
    self.init(path: path, tokens: try tokenizer.encode(text), fingerprint: fingerprint, byteCount: file.byteCount)
  }
}
