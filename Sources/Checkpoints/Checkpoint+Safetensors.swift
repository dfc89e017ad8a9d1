internal import FoundationEssentials

// Where the tensors of a Hugging Face folder lie.

extension Checkpoint {
  static func singleFile(_ path: String) throws(CheckpointError) -> ([MappedFile], [String: Place]) {
    let shard = try SafetensorsFile(path: path)
    var places: [String: Place] = [:]
    for entry in shard.entries { places[entry.name] = Place(shard: 0, entry) }
    return ([shard.file], places)
  }

  /// All tensors of the files that the index names. Where it says less than they hold, or more, the files are right, as
  /// they are to transformers; what a model needs and no file has is an error when the model is opened.
  static func shardedFiles(
    _ folder: String, index path: String
  ) throws(CheckpointError) -> ([MappedFile], [String: Place]) {
    let index = try Configuration(path: path)
    guard let map = index["weight_map"]?.members else {
      throw index.error(.malformed, "\"weight_map\" is missing or not an object")
    }
    var fileNames: Set<String> = []
    for member in map {
      guard let name = member.value.string, !name.isEmpty, !name.contains("/"), name != "..", name != "." else {
        throw CheckpointError(.malformed, file: path, tensor: member.key, "its shard is not the name of a file")
      }
      fileNames.insert(name)
    }
    let ordered = fileNames.sorted()
    var shards: [MappedFile] = []
    let named = Dictionary(map.map { ($0.key, $0.value.string) }) { first, _ in first }
    var places: [String: Place] = [:]
    for name in ordered {
      guard FileManager.default.fileExists(atPath: folder + "/" + name) else {
        throw CheckpointError(
          .notFound, file: folder + "/" + name, "the index names this shard but it is not there; download it again")
      }
      let shard = try SafetensorsFile(path: folder + "/" + name)
      for entry in shard.entries {
        if let other = places[entry.name], named[entry.name] != name {
          guard named[entry.name] == ordered[other.shard] else {
            throw CheckpointError(
              .malformed, file: shard.file.path, tensor: entry.name,
              "another shard holds it too, and the index does not say which one counts")
          }
          continue
        }
        places[entry.name] = Place(shard: shards.count, entry)
      }
      shards.append(shard.file)
    }
    return (shards, places)
  }

  /// Names with `model.`, which a folder that was saved from the class without an output matrix (LlamaModel) leaves out.
  static func named(_ places: [String: Place]) -> [String: Place] {
    guard places["embed_tokens.weight"] != nil, !places.keys.contains(where: { $0.hasPrefix("model.") }) else {
      return places
    }
    let renamed = places.map { ($0.key.hasPrefix("lm_head.") ? $0.key : "model." + $0.key, $0.value) }
    return Dictionary(uniqueKeysWithValues: renamed)
  }
}
