internal import FoundationEssentials

/// A new checkpoint folder beside those it is made from, with the tokenizer of one of them. What it replaces, if it
/// may, is an earlier one of the kind: weights, configuration, card and tokenizer, and no other file.
package struct MergedFolder {
  private let place: FolderReplacement
  private let source: String?

  /// What a tokenizer and its defaults for generation consist of.
  private static let copied = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
    "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json",
  ]

  /// Checks, before any work, that the target may be written.
  ///
  /// - Parameter source: The folder of a tokenizer, if there is to be one.
  package init(
    _ target: String, replacesExisting: Bool, parents: [String], protecting paths: [String],
    tokenizerFrom source: String?
  ) throws(CheckpointError) {
    self.source = source
    let known = Set(Self.copied + ["config.json", "README.md"])
    place = try FolderReplacement(
      of: target, replacesExisting: replacesExisting, sources: parents, protecting: paths,
      mayReplace: { known.contains($0) || SafetensorsWriter.isOwn($0) })
  }

  /// Copies the tokenizer, lets the body write the rest, and puts the folder in its place.
  package func write(_ body: (_ folder: String) throws -> Void) throws {
    try place.perform { folder in
      if let source {
        for name in Self.copied where FileManager.default.fileExists(atPath: source + "/" + name) {
          let bytes = try MappedFile(path: source + "/" + name).withBytes { Array($0) }
          try AtomicFile.write(bytes, to: folder + "/" + name)
        }
      }
      try body(folder)
    }
  }
}
