internal import FoundationEssentials
package import Tensors

/// A model on disk: a Hugging Face folder with config.json and safetensors, one file or shards with an index.
package struct Checkpoint: Sendable {
  package let folder: String
  package let configuration: Configuration
  package let shards: [SafetensorsFile]
  private let places: [String: Place]

  private struct Place: Sendable {
    let shard: Int
    let entry: SafetensorsFile.Entry
  }

  package init(folder: String) throws(CheckpointError) {
    guard FileManager.default.fileExists(atPath: folder) else {
      throw CheckpointError(.notFound, file: folder, "no such folder")
    }
    self.folder = folder
    let configurationPath = folder + "/config.json"
    guard FileManager.default.fileExists(atPath: configurationPath) else {
      throw CheckpointError(
        .notACheckpoint, file: folder, "no config.json in it; give the folder of a Hugging Face checkpoint")
    }
    configuration = try Configuration(path: configurationPath)
    if FileManager.default.fileExists(atPath: folder + "/model.safetensors") {
      (shards, places) = try Self.singleFile(folder + "/model.safetensors")
    } else if FileManager.default.fileExists(atPath: folder + "/model.safetensors.index.json") {
      (shards, places) = try Self.shardedFiles(folder, index: folder + "/model.safetensors.index.json")
    } else {
      throw CheckpointError(
        .notACheckpoint, file: folder,
        "neither model.safetensors nor model.safetensors.index.json in it; convert other weight files to safetensors first"
      )
    }
  }

  private static func singleFile(_ path: String) throws(CheckpointError) -> ([SafetensorsFile], [String: Place]) {
    let shard = try SafetensorsFile(path: path)
    var places: [String: Place] = [:]
    for entry in shard.entries { places[entry.name] = Place(shard: 0, entry: entry) }
    return ([shard], places)
  }

  private static func shardedFiles(
    _ folder: String, index path: String
  ) throws(CheckpointError) -> ([SafetensorsFile], [String: Place]) {
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
    var shards: [SafetensorsFile] = []
    var entries: [[String: SafetensorsFile.Entry]] = []
    for name in ordered {
      guard FileManager.default.fileExists(atPath: folder + "/" + name) else {
        throw CheckpointError(
          .notFound, file: folder + "/" + name, "the index names this shard but it is not there; download it again")
      }
      let shard = try SafetensorsFile(path: folder + "/" + name)
      shards.append(shard)
      entries.append(Dictionary(shard.entries.map { ($0.name, $0) }) { first, _ in first })
    }
    let numbers = Dictionary(uniqueKeysWithValues: zip(ordered, ordered.indices))
    var places: [String: Place] = [:]
    for member in map {
      guard let name = member.value.string, let number = numbers[name], let entry = entries[number][member.key] else {
        throw CheckpointError(
          .missingTensor, file: path, tensor: member.key, "its shard \(member.value.string ?? "") does not hold it")
      }
      places[member.key] = Place(shard: number, entry: entry)
    }
    return (shards, places)
  }

  // MARK: Tensors

  package var tensorNames: [String] { places.keys.sorted() }

  package func contains(_ name: String) -> Bool { places[name] != nil }

  /// Bytes of all tensors.
  package var byteCount: Int { places.values.reduce(0) { $0 + $1.entry.bytes.count } }

  package var parameterCount: Int { places.values.reduce(0) { $0 + $1.entry.shape.reduce(1, *) } }

  /// - Throws: `CheckpointError` if the tensor is not there, or has another shape than the reference says or a type that
  ///   cannot be computed with.
  package func matrix(_ reference: TensorReference) throws(CheckpointError) -> StoredMatrix {
    let place = try location(of: reference)
    return StoredMatrix(
      type: place.type, rows: reference.rows, columns: reference.columns,
      region: shards[place.shard].file.region(place.bytes))
  }

  /// The file that holds a matrix, its bytes in that file, and the type of its numbers.
  func location(
    of reference: TensorReference
  ) throws(CheckpointError) -> (shard: Int, bytes: Range<Int>, type: ElementType) {
    let name = reference.tensor
    guard let place = places[name] else {
      throw CheckpointError(.missingTensor, file: folder, tensor: name, "the checkpoint does not have it")
    }
    let expected = reference.shape.count == 2 && reference.shape[0] == 1 ? [reference.columns] : reference.shape
    guard place.entry.shape == reference.shape || place.entry.shape == expected else {
      throw error(.wrongShape, tensor: name, "its shape is \(place.entry.shape) but config.json asks for \(expected)")
    }
    guard let type = ElementType(rawValue: place.entry.type) else {
      throw error(
        .unsupported, tensor: name, "its type is \(place.entry.type); only BF16, F16 and F32 can be computed with")
    }
    // The shape is that of the file's header, whose product was found to be the tensor's bytes.
    let rowBytes = reference.columns * type.byteCount
    let (start, startOverflows) = reference.storedRows.lowerBound.multipliedReportingOverflow(by: rowBytes)
    let (end, endOverflows) = reference.storedRows.upperBound.multipliedReportingOverflow(by: rowBytes)
    guard !startOverflows, !endOverflows, start >= 0, end <= place.entry.bytes.count else {
      throw error(.wrongShape, tensor: name, "it has no rows \(reference.storedRows)")
    }
    let first = place.entry.bytes.lowerBound
    return (place.shard, first + start..<first + end, type)
  }

  /// Says where a tensor is, for messages about its contents.
  package func error(_ code: CheckpointError.Code, tensor name: String, _ problem: String) -> CheckpointError {
    guard let place = places[name] else { return CheckpointError(code, file: folder, tensor: name, problem) }
    return CheckpointError(
      code, file: shards[place.shard].file.path, tensor: name, offset: place.entry.bytes.lowerBound, problem)
  }

  // MARK: Identity

  /// Identifies the checkpoint by its configuration, its headers and a sample of each tensor's bytes, so that a model of
  /// many gigabytes is identified without being read. Where the folder lies does not matter.
  package var fingerprint: Fingerprint {
    var result = Fingerprint()
    if let bytes = FileManager.default.contents(atPath: configuration.file) { result.take(bytes) }
    for name in tensorNames {
      guard let place = places[name] else { continue }
      result.take("\(name) \(place.entry.type) \(place.entry.shape)")
      shards[place.shard].file.withBytes { bytes in
        let tensor = bytes[place.entry.bytes]
        for start in Self.sampleStarts(of: tensor.count) {
          let begin = tensor.startIndex + start
          result.take(tensor[begin..<min(begin + Self.sampleSize, tensor.endIndex)])
        }
      }
    }
    return result
  }

  private static let sampleSize = 256

  private static func sampleStarts(of count: Int) -> some Sequence<Int> {
    stride(from: 0, to: count, by: max(sampleSize, count / 16))
  }
}
