package import Checkpoints

extension Tokenizer {
  /// Of the file that `init(folder:)` reads.
  package static func fingerprint(folder: String) throws -> Fingerprint {
    var fingerprint = Fingerprint()
    try MappedFile(path: folder + "/tokenizer.json").withBytes { fingerprint.take($0) }
    return fingerprint
  }

  /// The tokenizer of a Hugging Face folder, from its tokenizer.json.
  package init(folder: String) throws {
    let file = try Configuration(path: folder + "/tokenizer.json")
    do {
      try self.init(parsing: file.json)
    } catch {
      throw file.error(.unsupported, "\(error)")
    }
  }
}
