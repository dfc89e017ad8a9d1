internal import FoundationEssentials
internal import Tensors

/// How a copy's matrices are stored.
package enum MatrixForm: Sendable {
  /// Each as a whole.
  case dense
  /// Two tensors, left and right factor, for each matrix that is made of these; bases that they are added to once.
  case factored
}

/// A copy whose files are laid out anew, since some of its tensors are others than the original's: a matrix became two
/// factors, or two factors a matrix, or numbers with scales apart became bfloat16.
struct RewrittenTensors {
  private let checkpoint: Checkpoint
  private let form: MatrixForm
  private var tensors: [String: Content] = [:]

  /// A tensor of the copy, with the bytes that it consists of, one after another.
  private struct Content {
    let tensor: SafetensorsWriter.Tensor
    let bytes: [any ByteRegion]
  }

  init(
    _ checkpoint: Checkpoint, replacing replacements: [TensorReference: StoredMatrix],
    separating separate: [TensorReference: TensorReference] = [:], as form: MatrixForm
  ) throws(CheckpointError) {
    self.checkpoint = checkpoint
    self.form = form
    let hasFactors = replacements.contains { $0.value.factors != nil && separate[$0.key] != nil }
    let separate = form == .factored && hasFactors ? separate : [:]
    let separated = Set(separate.keys.map(\.tensor))
    for (reference, alone) in separate {
      guard let replacement = replacements[reference] else {
        put(try checkpoint.matrix(reference), at: alone)
        continue
      }
      put(replacement, at: alone)
    }
    let replacements = try checkpoint.wholeRows(of: replacements.filter { separate[$0.key] == nil })
    let whole = Dictionary(uniqueKeysWithValues: replacements.filter(\.reference.isWholeMatrix).map { ($0, $1) })
    let rows = Dictionary(grouping: replacements.filter { !$0.reference.isWholeMatrix }, by: \.reference.tensor)
    for (name, place) in checkpoint.places where !checkpoint.isScale(name) && !separated.contains(name) {
      // A base comes with those that are made of it.
      if checkpoint.isFactored, FactoredFormat.isBase(name) { continue }
      if let made = try checkpoint.madeTensor(of: name) {
        guard !separated.contains(made.name) else { continue }
        try put(made, replacing: rows[made.name] ?? [])
        continue
      }
      let original = checkpoint.shards[place.shard].region(place.bytes)
      tensors[name] = Content(
        tensor: .init(name: name, type: place.type, shape: place.shape, byteCount: place.bytes.count),
        bytes: try Self.patched(original, by: rows[name] ?? [], checkpoint))
    }
    for reference in checkpoint.factoredMatrices where whole[reference] == nil {
      put(try checkpoint.matrix(reference), at: reference)
    }
    for (reference, matrix) in whole {
      // Both say what the original's shape and type are, or why not.
      let original = try checkpoint.matrix(reference)
      precondition(
        (original.type, reference.rows, reference.columns) == (matrix.type, matrix.rows, matrix.columns),
        "a replacement has another type or shape than its tensor")
      put(matrix, at: reference)
    }
  }

  /// A tensor that is made of numbers with scales apart, some of its rows replaced.
  private mutating func put(
    _ made: (name: String, shape: [Int], matrices: [TensorReference]),
    replacing replacements: [(reference: TensorReference, matrix: StoredMatrix)]
  ) throws(CheckpointError) {
    var matrices: [StoredMatrix] = []
    for reference in made.matrices {
      let first = reference.storedRows.lowerBound
      let own = replacements.filter { reference.storedRows.contains($0.reference.storedRows.lowerBound) }
      let stored = try checkpoint.storedRows(of: reference)
      let rows =
        own.isEmpty
        ? stored
        : stored.replacing(
          own.map { replacement in
            let rows = replacement.reference.storedRows
            return (MatrixPart(.rows, from: rows.lowerBound - first, count: rows.count), replacement.matrix)
          })
      matrices.append(reference.part.map { StoredMatrix($0, of: rows) } ?? rows)
    }
    tensors[made.name] = Content(
      tensor: .init(
        name: made.name, type: ElementType.bfloat16.rawValue, shape: made.shape,
        byteCount: matrices.reduce(0) { $0 + $1.region.byteCount }),
      bytes: matrices.isEmpty ? [OwnedBytes([])] : matrices.map(\.region))
  }

  /// A stored tensor with some of its rows replaced.
  private static func patched(
    _ original: MappedRegion, by patches: [(reference: TensorReference, matrix: StoredMatrix)],
    _ checkpoint: Checkpoint
  ) throws(CheckpointError) -> [any ByteRegion] {
    var result: [any ByteRegion] = []
    var position = original.range.lowerBound
    for (reference, matrix) in patches {
      let place = try checkpoint.location(of: reference)
      precondition(
        place.type == matrix.type && place.bytes.count == matrix.region.byteCount && place.bytes.lowerBound >= position,
        "a replacement has another type or shape than its rows")
      result += [original.file.region(position..<place.bytes.lowerBound), matrix.region]
      position = place.bytes.upperBound
    }
    let rest = original.file.region(position..<original.range.upperBound)
    // A tensor without a number is one piece without a byte.
    return patches.isEmpty ? [rest] : (result + [rest]).filter { $0.byteCount > 0 }
  }

  /// Puts a matrix in the place of the original's tensor, or of its two factors.
  private mutating func put(_ matrix: StoredMatrix, at reference: TensorReference) {
    let name = reference.tensor
    let forms = FactoredFormat.names(of: name)
    for name in [name] + forms.flatMap({ [$0.left, $0.right] }) { tensors[name] = nil }
    var parts = [(name, matrix)]
    if form == .factored, let factors = matrix.factors,
      let names = forms.first(where: { ($0.base == nil) == (factors.base == nil) })
    {
      parts = [(names.left, factors.left), (names.right, factors.right)]
      // All that share it have the same one.
      if let name = names.base, let base = factors.base { parts.append((name, base)) }
    }
    for (name, matrix) in parts {
      tensors[name] = Content(
        tensor: .init(name: name, type: matrix.type, shape: [matrix.rows, matrix.columns]), bytes: [matrix.region])
    }
  }

  /// What the files' names begin with.
  private var stem: String { form == .factored ? FactoredFormat.fileStem : SafetensorsWriter.fileStem }

  /// Writes the tensors, in one file or in files of at most the original's size, and config.json.
  func write(to folder: String, progress: (Int, Int) -> Void) throws(CheckpointError) {
    let shards = checkpoint.shards
    let limit = shards.count == 1 ? Int.max : shards.map(\.byteCount).max() ?? Int.max
    let writer = SafetensorsWriter(tensors.values.map(\.tensor), to: folder, shardSize: limit, stem: stem)
    var done = 0
    for tensor in writer.tensors {
      for region in tensors[tensor.name]?.bytes ?? [] {
        try writer.append(region, of: tensor.name)
        region.release(0..<region.byteCount)
      }
      done += tensor.byteCount
      progress(done, writer.byteCount)
    }
    try writer.finish()
    let configuration = FactoredFormat.configuration(
      checkpoint.wholeConfiguration, isFactored: form == .factored,
      hasBases: tensors.keys.contains(where: FactoredFormat.isBase))
    try AtomicFile.write(configuration.indented + "\n", to: folder + "/config.json")
  }

  /// Files of the original that the copy has its own of.
  var replacedFiles: Set<String> {
    Set(checkpoint.shards.map { fileName($0.path) }).union([
      "config.json", SafetensorsWriter.indexName(), SafetensorsWriter.indexName(stem: FactoredFormat.fileStem),
    ])
  }

  /// Whether a file, by its path in an existing copy's folder, may be one that such a copy consists of.
  static func mayBeOwn(_ path: String) -> Bool {
    SafetensorsWriter.isOwn(path) || SafetensorsWriter.isOwn(path, stem: FactoredFormat.fileStem)
  }
}
