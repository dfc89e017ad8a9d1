internal import Checkpoints
internal import Models
package import Tensors
internal import Wording

/// A tensor of a model, decoded where it is needed.
struct StoredNumbers: Sendable {
  let model: Model
  let reference: TensorReference
  let matrix: StoredMatrix

  init(model: Model, reference: TensorReference) throws {
    self.model = model
    self.reference = reference
    matrix = try model.stored(reference)
  }

  /// Gives back the memory of its pages: it is not needed again soon.
  func release() { matrix.release(rows: 0..<reference.rows) }

  /// Some of a tall matrix's rows, or of a wide one's columns.
  func part(_ range: Range<Int>) throws -> DoubleMatrix {
    let isTall = reference.rows >= reference.columns
    return try model.doubles(
      of: matrix, at: reference, rows: isTall ? range : 0..<reference.rows,
      columns: isTall ? 0..<reference.columns : range)
  }
}

/// What is reduced at a site, W or W − W_base, and what it is made into: never whole in float64.
struct ReducedNumbers: Sendable {
  let site: Site
  let stored: StoredNumbers
  let base: StoredNumbers?

  var rows: Int { stored.reference.rows }
  var columns: Int { stored.reference.columns }
  /// The longer side, in what is decoded at once.
  var parts: [Range<Int>] { SingularValueDecomposition.parts(rows: rows, columns: columns) }

  func release() {
    stored.release()
    base?.release()
  }

  /// A part of W or W − W_base: some of a tall matrix's rows, or of a wide one's columns.
  func difference(_ part: Range<Int>) throws -> DoubleMatrix {
    let weights = try stored.part(part)
    return try base.map { weights - (try $0.part(part)) } ?? weights
  }

  /// What `filter` makes of W, or W_base plus what it makes of W − W_base, rounded to a type.
  ///
  /// - Parameters:
  ///   - type: Nil for the one that the checkpoint stores, or what changed matrices of it are stored as.
  ///   - isWhole: Whether the filter changes nothing: then, of the stored type, the result is the very bytes of W.
  func reduced(
    type: ElementType?, isWhole: Bool, _ filter: @Sendable (DoubleMatrix) -> DoubleMatrix
  ) throws -> StoredMatrix {
    if isWhole, type == nil || type == stored.matrix.type { return stored.matrix }
    let type = type ?? stored.matrix.type.typeOfChanges
    defer { release() }
    guard columns.isMultiple(of: type.blockSize) else {
      throw InputError("\(site): its rows of \(columns) numbers are no whole blocks of \(type.rawValue)")
    }
    return try StoredMatrix(type: type, rows: rows, columns: columns, parts: parts) { part in
      let weights = try stored.part(part)
      guard let base = try base?.part(part) else { return filter(weights) }
      return base + filter(weights - base)
    }
  }

  /// One factor for all of it: no decomposition is needed. With a factor of float32 the product is exact for W itself.
  func scaled(by factor: Float, type: ElementType?) throws -> StoredMatrix {
    try reduced(type: type, isWhole: factor == 1) { part in
      var result = part
      // No number becomes a negative zero.
      for index in result.elements.indices { result.elements[index] = 0 + Double(factor) * result.elements[index] }
      return result
    }
  }
}

extension StoredMatrix {
  /// Names the numbers and how they are stored: equal ones have equal names. One hexadecimal word.
  package var fingerprint: String {
    var fingerprint = Fingerprint()
    fingerprint.update("\(type.rawValue) \(rows) \(columns)")
    region.withBytes { fingerprint.update($0) }
    return fingerprint.description
  }
}
