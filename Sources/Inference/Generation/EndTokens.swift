internal import Checkpoints
internal import FoundationEssentials
internal import Models

extension Model {
  /// The tokens after which a text is over, as generation_config.json or config.json says; empty where neither does.
  package var endTokens: Set<Int32> {
    get throws {
      let path = checkpoint.path + "/generation_config.json"
      let files = [
        FileManager.default.fileExists(atPath: path) ? try Configuration(path: path) : nil, checkpoint.configuration,
      ]
      for file in files.compactMap(\.self) {
        guard let value = file["eos_token_id"] else { continue }
        return Set((value.array ?? [value]).compactMap { $0.integer.flatMap { Int32(exactly: $0) } })
      }
      return []
    }
  }
}
