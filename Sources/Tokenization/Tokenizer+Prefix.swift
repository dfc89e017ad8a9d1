internal import Checkpoints

extension Tokenizer {
  /// The token that stands before a text that nothing else stands before, where one must: the beginning of a text as
  /// the files name it, or else its end, as lm-evaluation-harness takes them; nil where no file names either.
  ///
  /// It may be one that `encode` does not put there.
  package func prefixToken(path: String) throws -> Int32? {
    if let parts = try ggufModel(path) {
      let id = (parts["tokenizer.ggml.bos_token_id"] ?? parts["tokenizer.ggml.eos_token_id"])?.integer
      return id.flatMap { Int32(exactly: $0) }
    }
    let files = try TokenizerFolder(path).declared
    func named(_ name: String) -> Int32? {
      let entry = [files.settings, files.specialTokens].lazy.compactMap { $0?.member(name)?.json }.first
      return (entry?.string ?? entry?["content"]?.string).flatMap { id(of: $0) }
    }
    return named("bos_token") ?? beginningToken ?? named("eos_token")
  }
}
