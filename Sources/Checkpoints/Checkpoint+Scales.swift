internal import Tensors

// Tensors whose numbers have few bits and scales that are stored apart: `MatrixStorage.float8`, `.mxfp4`.

extension Checkpoint {
  private static let scaleEnding = "_scale_inv"
  private static let blocksEnding = "_blocks"
  private static let scalesEnding = "_scales"
  /// Numbers that share a scale in MXFP4.
  private static let mxfp4Block = 32

  /// In what numbers the checkpoint stores matrices, where these have few bits and scales apart.
  package var scaledNumbers: String? {
    switch storage {
    case .plain, .factors: nil
    case .float8: "FP8"
    case .mxfp4: "MXFP4"
    }
  }

  /// What a tensor may be stored as, under names that are there or not.
  func storedNames(of name: String) -> [String] {
    let others =
      switch storage {
      case .plain: [String]()
      case .factors: FactoredFormat.names(of: name).flatMap { [$0.left, $0.right] }
      case .float8: [name + Self.scaleEnding]
      case .mxfp4: [name + Self.blocksEnding, name + Self.scalesEnding]
      }
    return [name] + others
  }

  /// How many numbers of the model a stored tensor holds; scales are none.
  func numberCount(of name: String, _ place: Place) -> Int {
    let count = place.shape.reduce(1, *)
    switch storage {
    case .plain, .factors: return count
    case .float8: return isScale(name) ? 0 : count
    case .mxfp4: return isScale(name) ? 0 : name.hasSuffix(Self.blocksEnding) ? 2 * count : count
    }
  }

  /// Whether a stored tensor has nothing but the scales of another.
  func isScale(_ name: String) -> Bool {
    switch storage {
    case .plain, .factors: false
    case .float8: name.hasSuffix(Self.scaleEnding) && places[String(name.dropLast(Self.scaleEnding.count))] != nil
    case .mxfp4:
      name.hasSuffix(Self.scalesEnding)
        && places[name.dropLast(Self.scalesEnding.count) + Self.blocksEnding] != nil
    }
  }

  /// The rows of a reference, made of numbers and scales; nil if they are stored as they are, or not at all.
  ///
  /// - Throws: `CheckpointError` if numbers and scales do not make a matrix of that shape.
  func scaledRows(of reference: TensorReference) throws(CheckpointError) -> StoredMatrix? {
    switch storage {
    case .plain, .factors: nil
    case .float8(let block): try float8(reference, block)
    case .mxfp4: try mxfp4(reference)
    }
  }

  private func float8(_ reference: TensorReference, _ block: MatrixStorage.Block?) throws(CheckpointError)
    -> StoredMatrix?
  {
    let name = reference.tensor
    guard let place = places[name], place.type == "F8_E4M3" else { return nil }
    guard place.shape == reference.shape else {
      throw error(.wrongShape, tensor: name, "its shape is \(place.shape) but config.json asks for \(reference.shape)")
    }
    let (rows, columns) = (reference.shape[reference.shape.count - 2], reference.storedColumns)
    let scaleName = name + Self.scaleEnding
    guard let scales = places[scaleName] else {
      throw CheckpointError(.missingTensor, file: path, tensor: scaleName, "the checkpoint has the numbers alone")
    }
    let block = block ?? .init(rows: max(1, rows), columns: max(1, columns))
    let grid = [(rows + block.rows - 1) / block.rows, (columns + block.columns - 1) / block.columns]
    let isSingle = scales.shape.reduce(1, *) == 1 && grid == [1, 1] && reference.shape.count == 2
    guard isSingle || scales.shape == reference.shape.dropLast(2) + grid else {
      throw error(
        .wrongShape, tensor: scaleName,
        "its shape is \(scales.shape) but blocks of \(block.rows) × \(block.columns) "
          + "numbers need \(Array(reference.shape.dropLast(2)) + grid)")
    }
    guard let type = ElementType(rawValue: scales.type), type.blockSize == 1 else {
      throw error(.unsupported, tensor: scaleName, "its type is \(scales.type); only BF16, F16 and F32 are read")
    }
    // Rows of a reference are those of one matrix: architectures make no other.
    let matrix = rows == 0 ? 0 : reference.storedRows.lowerBound / rows
    let scaleBytes = type.byteCount(of: grid[0] * grid[1])
    return StoredMatrix(
      e4m3: region(place, rows: reference.storedRows, bytesPerRow: columns), rows: reference.storedRows.count,
      columns: columns,
      scales: StoredMatrix(
        type: type, rows: grid[0], columns: grid[1],
        region: region(scales, rows: matrix..<matrix + 1, bytesPerRow: scaleBytes)),
      block: (block.rows, block.columns), firstRow: reference.storedRows.lowerBound - matrix * rows)
  }

  private func mxfp4(_ reference: TensorReference) throws(CheckpointError) -> StoredMatrix? {
    let name = reference.tensor
    let (blocksName, scalesName) = (name + Self.blocksEnding, name + Self.scalesEnding)
    guard places[name] == nil, let blocks = places[blocksName] else { return nil }
    guard let scales = places[scalesName] else {
      throw CheckpointError(.missingTensor, file: path, tensor: scalesName, "the checkpoint has the blocks alone")
    }
    let columns = reference.storedColumns
    guard columns.isMultiple(of: Self.mxfp4Block) else {
      throw error(.wrongShape, tensor: name, "rows of \(columns) numbers are no whole blocks of \(Self.mxfp4Block)")
    }
    let perRow = columns / Self.mxfp4Block
    let grid = reference.shape.dropLast() + [perRow]
    for (stored, place, shape) in [(blocksName, blocks, grid + [Self.mxfp4Block / 2]), (scalesName, scales, grid)] {
      guard place.shape == Array(shape) else {
        throw error(.wrongShape, tensor: stored, "its shape is \(place.shape) but config.json asks for \(Array(shape))")
      }
      guard place.type == "U8" else { throw error(.unsupported, tensor: stored, "its type is \(place.type), not U8") }
    }
    return StoredMatrix(
      mxfp4: region(blocks, rows: reference.storedRows, bytesPerRow: perRow * Self.mxfp4Block / 2),
      scales: region(scales, rows: reference.storedRows, bytesPerRow: perRow), rows: reference.storedRows.count,
      columns: columns)
  }

  /// Some rows of a tensor whose shape was found to be that of its reference.
  private func region(_ place: Place, rows: Range<Int>, bytesPerRow: Int) -> MappedRegion {
    let first = place.bytes.lowerBound
    return shards[place.shard].region(first + rows.lowerBound * bytesPerRow..<first + rows.upperBound * bytesPerRow)
  }

  /// A copy's tensors for those that are made of numbers and scales: bfloat16, by the names and shapes that transformers
  /// gives them. In MXFP4 (experts, outputs, inputs) are stored, (experts, inputs, outputs) written.
  ///
  /// - Returns: Nil for a tensor that is copied as it is.
  func madeTensor(of name: String) throws(CheckpointError) -> (name: String, shape: [Int], matrices: [TensorReference])?
  {
    // Without a number, a shape may count any number of matrices.
    guard let place = places[name], !place.bytes.isEmpty else { return nil }
    switch storage {
    case .float8 where place.type == "F8_E4M3" && (2...3).contains(place.shape.count):
      return (name, place.shape, Self.matrices(name, place.shape, part: nil))
    case .mxfp4 where name.hasSuffix(Self.blocksEnding) && place.shape.count == 4 && place.shape[3] == 16:
      let tensor = String(name.dropLast(Self.blocksEnding.count))
      let (columns, overflows) = place.shape[2].multipliedReportingOverflow(by: Self.mxfp4Block)
      guard !overflows else { throw error(.malformed, tensor: name, "its rows are too long to count") }
      let stored = [place.shape[0], place.shape[1], columns]
      return (
        tensor, [stored[0], columns, stored[1]],
        Self.matrices(tensor, stored, part: MatrixPart(.rows, count: stored[1], isTransposed: true))
      )
    default: return nil
    }
  }

  /// The matrices that are stacked in a tensor, or the one that it is.
  private static func matrices(_ name: String, _ shape: [Int], part: MatrixPart?) -> [TensorReference] {
    guard shape.count == 3 else {
      return [TensorReference(name: name, shape: (shape[0], shape[1]), rows: 0..<shape[0], part: part)]
    }
    return (0..<shape[0]).map {
      TensorReference(name: name, shape: (shape[0], shape[1], shape[2]), index: $0, part: part)
    }
  }
}
