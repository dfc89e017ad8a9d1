internal import FoundationEssentials
package import Tensors

/// A model on disk: a Hugging Face folder with config.json and safetensors, one file or shards with an index; or GGUF,
/// one file or the parts of a split one.
package struct Checkpoint: Sendable {
  /// The folder, or the GGUF file or first part.
  package let path: String
  /// What config.json says of the model; of one that reads more than text, what it says of the text model.
  package let configuration: Configuration
  /// All that config.json says.
  let wholeConfiguration: Configuration
  /// The files, where the model is in GGUF.
  package let gguf: GGUFParts?
  let shards: [MappedFile]
  /// How the folder stores its matrices.
  let storage: MatrixStorage
  let places: [String: Place]

  struct Place: Sendable {
    let shard: Int
    let type: String
    let shape: [Int]
    let bytes: Range<Int>

    init(shard: Int, _ entry: SafetensorsFile.Entry) {
      self.shard = shard
      (type, shape, bytes) = (entry.type, entry.shape, entry.bytes)
    }

    init(shard: Int, _ tensor: GGUFFile.Tensor) {
      self.shard = shard
      (type, shape, bytes) = (tensor.type.name, tensor.shape, tensor.bytes)
    }
  }

  /// - Parameter path: A folder, or a GGUF file. A folder without config.json may hold one model in GGUF.
  package init(path: String) throws(CheckpointError) {
    var isFolder = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CheckpointError(.notFound, file: path, "no such folder or file")
    }
    guard isFolder else {
      try self.init(gguf: path)
      return
    }
    if FileManager.default.fileExists(atPath: path + "/config.json") {
      try self.init(huggingFace: path)
    } else {
      try self.init(gguf: try Self.ggufFile(in: path))
    }
  }

  private init(huggingFace folder: String) throws(CheckpointError) {
    path = folder
    gguf = nil
    configuration = try Configuration(path: folder + "/config.json")
    wholeConfiguration = configuration
    storage = try MatrixStorage(wholeConfiguration)
    let stem = storage == .factors ? FactoredFormat.fileStem : SafetensorsWriter.fileStem
    let (file, index) = (stem + ".safetensors", SafetensorsWriter.indexName(stem: stem))
    let stored: [String: Place]
    if FileManager.default.fileExists(atPath: folder + "/" + file) {
      (shards, stored) = try Self.singleFile(folder + "/" + file)
    } else if FileManager.default.fileExists(atPath: folder + "/" + index) {
      (shards, stored) = try Self.shardedFiles(folder, index: folder + "/" + index)
    } else {
      throw CheckpointError(
        .notACheckpoint, file: folder,
        "neither \(file) nor \(index) in it; convert other weight files to safetensors first"
      )
    }
    places = Self.named(stored)
  }

  /// - Parameter path: The file, or the first part.
  private init(gguf path: String) throws(CheckpointError) {
    let parts = try GGUFParts(path: path)
    self.path = path
    gguf = parts
    storage = .plain
    // Empty until an architecture translates the metadata.
    configuration = Configuration(file: path, json: .object([]))
    wholeConfiguration = configuration
    shards = parts.files.map(\.file)
    var places: [String: Place] = [:]
    for (shard, file) in parts.files.enumerated() {
      for tensor in file.tensors { places[tensor.name] = Place(shard: shard, tensor) }
    }
    self.places = places
  }

  /// The one model in GGUF that a folder holds: a file, or the first part of a split one.
  private static func ggufFile(in folder: String) throws(CheckpointError) -> String {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".gguf") }
    let models = names.filter { !GGUFParts.isLaterPart($0) }.sorted()
    guard let first = models.first, models.count == 1 else {
      throw CheckpointError(
        .notACheckpoint, file: folder,
        models.isEmpty
          ? "no config.json in it, nor a GGUF file; give the folder of a Hugging Face checkpoint"
          : "no config.json in it, but \(models.joined(separator: ", ")); give one of these files")
    }
    return folder + "/" + first
  }

  /// A checkpoint with another configuration: that of a GGUF file, as an architecture understands its metadata, or that
  /// of a part of the model.
  package init(_ checkpoint: Checkpoint, configuration: Configuration) {
    (path, gguf, shards, places) = (checkpoint.path, checkpoint.gguf, checkpoint.shards, checkpoint.places)
    storage = checkpoint.storage
    wholeConfiguration = checkpoint.wholeConfiguration
    self.configuration = configuration
  }

  // MARK: Tensors

  package var tensorNames: [String] { places.keys.sorted() }

  package func contains(_ name: String) -> Bool { places[name] != nil }

  /// How many files hold the tensors.
  package var fileCount: Int { shards.count }

  /// Bytes of all tensors.
  package var byteCount: Int { places.values.reduce(0) { $0 + $1.bytes.count } }

  package var parameterCount: Int { places.reduce(0) { $0 + numberCount(of: $1.key, $1.value) } }

  /// Whether matrices may be stored as two factors.
  package var isFactored: Bool { storage == .factors }

  /// A matrix as it is stored, or made of what is stored: of two factors, of numbers with scales apart, of a part of a
  /// tensor.
  ///
  /// - Throws: `CheckpointError` if the tensor is not there, or has another shape than the reference says or a type
  ///   that cannot be computed with.
  package func matrix(_ reference: TensorReference) throws(CheckpointError) -> StoredMatrix {
    if let factors = try factors(of: reference) { return StoredMatrix(factors) }
    let rows = try storedRows(of: reference)
    return reference.part.map { StoredMatrix($0, of: rows) } ?? rows
  }

  /// The rows of the tensor that a reference says, whatever part of them it is of.
  func storedRows(of reference: TensorReference) throws(CheckpointError) -> StoredMatrix {
    if let scaled = try scaledRows(of: reference) { return scaled }
    let place = try location(of: reference)
    return StoredMatrix(
      type: place.type, rows: reference.storedRows.count, columns: reference.storedColumns,
      region: shards[place.shard].region(place.bytes))
  }

  /// The file that holds the rows of a reference, their bytes in that file, and the type of their numbers.
  func location(
    of reference: TensorReference
  ) throws(CheckpointError) -> (shard: Int, bytes: Range<Int>, type: ElementType) {
    let name = reference.tensor
    guard let place = places[name] else {
      throw CheckpointError(.missingTensor, file: path, tensor: name, "the checkpoint does not have it")
    }
    let expected =
      reference.shape.count == 2 && reference.shape[0] == 1 ? [reference.storedColumns] : reference.shape
    guard place.shape == reference.shape || place.shape == expected else {
      throw error(.wrongShape, tensor: name, "its shape is \(place.shape) but \(asker) asks for \(expected)")
    }
    guard let type = ElementType(rawValue: place.type) else {
      throw error(
        .unsupported, tensor: name, "its type is \(place.type); only \(computedTypes) can be computed with")
    }
    // The shape is that of the file's header, whose product was found to be the tensor's bytes.
    guard reference.storedColumns.isMultiple(of: type.blockSize), reference.part == nil || type.blockSize == 1 else {
      throw error(
        .wrongShape, tensor: name, "its rows of \(reference.storedColumns) are no whole blocks of \(type.rawValue)")
    }
    let rowBytes = type.byteCount(of: reference.storedColumns)
    let (start, startOverflows) = reference.storedRows.lowerBound.multipliedReportingOverflow(by: rowBytes)
    let (end, endOverflows) = reference.storedRows.upperBound.multipliedReportingOverflow(by: rowBytes)
    guard !startOverflows, !endOverflows, start >= 0, end <= place.bytes.count else {
      throw error(.wrongShape, tensor: name, "it has no rows \(reference.storedRows)")
    }
    let first = place.bytes.lowerBound
    return (place.shard, first + start..<first + end, type)
  }

  private var asker: String { gguf == nil ? "config.json" : "the metadata" }

  private var computedTypes: String {
    let types = ElementType.allCases.filter { gguf != nil || $0.blockSize == 1 }.map(\.rawValue)
    return types.dropLast().joined(separator: ", ") + " and " + (types.last ?? "")
  }

  /// Says where a tensor is, for messages about its contents.
  package func error(_ code: CheckpointError.Code, tensor name: String, _ problem: String) -> CheckpointError {
    let stored = storedNames(of: name).first { places[$0] != nil } ?? name
    guard let place = places[stored] else { return CheckpointError(code, file: path, tensor: name, problem) }
    return CheckpointError(
      code, file: shards[place.shard].path, tensor: name, offset: place.bytes.lowerBound, problem)
  }

  /// Whether another checkpoint has a tensor of this name, of the same type, shape and bytes.
  package func holdsSame(_ name: String, as other: Checkpoint) -> Bool {
    guard let (own, its) = places[name].flatMap({ own in other.places[name].map { (own, $0) } }), own.type == its.type,
      own.shape == its.shape, own.bytes.count == its.bytes.count
    else { return false }
    defer {
      release(name)
      other.release(name)
    }
    return shards[own.shard].region(own.bytes).holdsSame(as: other.shards[its.shard].region(its.bytes))
  }

  // MARK: Memory

  /// Gives back the memory of a tensor's mapped pages, for those who read a checkpoint from one end to the other.
  package func release(_ name: String) {
    for place in storedNames(of: name).compactMap({ places[$0] }) { shards[place.shard].release(place.bytes) }
  }

  /// Gives back the memory of all mapped pages.
  package func releaseAll() {
    for shard in shards { shard.release(0..<shard.byteCount) }
  }

  // MARK: Identity

  /// To be asked before what was made of the checkpoint is called finished.
  ///
  /// - Throws: `CheckpointError` if one of its files is not what it was when it was opened.
  package func refuseChange() throws(CheckpointError) {
    for shard in shards { try shard.refuseChange() }
  }

  /// Identifies the checkpoint by its configuration, its headers and a sample of each tensor's bytes, so that a model
  /// of many gigabytes is identified without being read. Where the folder lies does not matter.
  package var fingerprint: Fingerprint {
    var result = Fingerprint()
    if let gguf {
      for file in gguf.files { file.file.withBytes { result.update($0[..<file.headerByteCount]) } }
    } else if let bytes = FileManager.default.contents(atPath: configuration.file) {
      result.update(bytes)
    }
    for name in tensorNames {
      guard let place = places[name] else { continue }
      defer { release(name) }
      result.update("\(name) \(place.type) \(place.shape)")
      shards[place.shard].withBytes { bytes in
        let tensor = bytes[place.bytes]
        for start in Self.sampleStarts(of: tensor.count) {
          let begin = tensor.startIndex + start
          result.update(tensor[begin..<min(begin + Self.sampleSize, tensor.endIndex)])
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
