internal import Checkpoints

extension Tokenizer {
  /// `prefixToken`, from the metadata of a GGUF file.
  static func prefixToken(_ parts: GGUFParts) -> Int32? {
    let id = (parts["tokenizer.ggml.bos_token_id"] ?? parts["tokenizer.ggml.eos_token_id"])?.integer
    return id.flatMap { Int32(exactly: $0) }
  }

  /// The same from the files of a folder.
  func prefixToken(_ files: DeclaredTokens.Files) -> Int32? {
    func named(_ name: String) -> Int32? {
      let entry = [files.settings, files.specialTokens].lazy.compactMap { $0?.member(name)?.json }.first
      return (entry?.string ?? entry?["content"]?.string).flatMap { id(of: $0) }
    }
    return named("bos_token") ?? beginningToken ?? named("eos_token")
  }
}
