package import Checkpoints
package import Tensors

/// A checkpoint understood: its configuration, its sites, and its weights, some of which may be replaced.
///
/// Opening one checks that every tensor is there in the shape that the configuration says. Weights stay in the mapped
/// files until they are asked for.
package struct Model: Sendable {
  package let checkpoint: Checkpoint
  package private(set) var configuration: TransformerConfiguration
  package let layout: TensorLayout
  package private(set) var replacements: [TensorReference: StoredMatrix] = [:]
  /// What matrix products take. Routers always take float32.
  package var precision: Precision = .float32
  /// How much memory the model's use may take.
  private(set) var plan = MemoryPlan.unbounded
  /// Whether weights are read as they are stored rather than packed: right for a few tokens at a time.
  var usesStoredWeights = false

  package init(_ checkpoint: Checkpoint) throws(CheckpointError) {
    let known = try ArchitectureRegistry.understood(checkpoint)
    (self.checkpoint, configuration, layout) = (known.checkpoint, known.configuration, known.layout)
    for reference in layout.all { _ = try checkpoint.matrix(reference) }
  }

  package init(folder: String) throws(CheckpointError) {
    try self.init(Checkpoint(folder: folder))
  }

  /// The same model, used within some memory.
  package func within(_ plan: MemoryPlan) -> Model {
    var result = self
    result.plan = plan
    return result
  }

  // MARK: Experts per token

  /// The model with another number of experts working on each token than its configuration says.
  ///
  /// - Throws: `CheckpointError` for a number that the model cannot have, and for a dense model.
  package func withExpertsPerToken(_ count: Int) throws(CheckpointError) -> Model {
    guard let mixture = configuration.mixture else {
      throw CheckpointError(
        .unsupported, file: checkpoint.folder, "a dense model has no experts, of which \(count) could work on a token")
    }
    guard (1...mixture.expertCount).contains(count) else {
      throw CheckpointError(
        .unsupported, file: checkpoint.folder,
        "\(count) experts per token are not possible; the model has \(mixture.expertCount) experts")
    }
    var result = self
    result.configuration.mixture?.expertsPerToken = count
    return result
  }

  // MARK: Sites

  /// Every matrix that can be reduced: by layer, within it attention first, then expert by expert, the shared one last.
  package var sites: [Site] {
    layout.layers.enumerated().flatMap { number, layer in
      Role.allCases.filter { $0.part == .attention }.map { Site(layer: number, expert: nil, role: $0) }
        + layer.experts.indices.flatMap { expert in
          Role.allCases.filter { $0.part == .expert }.map { role in
            Site(layer: number, expert: layer.router == nil ? nil : expert, role: role)
          }
        }
        + Role.allCases.filter { $0.part == .sharedExpert && layer.shared != nil }.map { role in
          Site(layer: number, expert: nil, role: role)
        }
    }
  }

  /// The tensor of a site; nil if the model does not have the site.
  package func referenceIfPresent(of site: Site) -> TensorReference? {
    guard layout.layers.indices.contains(site.layer) else { return nil }
    let layer = layout.layers[site.layer]
    let expert: TensorLayout.Expert?
    switch site.role.part {
    case .attention:
      guard site.expert == nil else { return nil }
      expert = nil
    case .expert:
      guard (site.expert == nil) == (layer.router == nil), layer.experts.indices.contains(site.expert ?? 0) else {
        return nil
      }
      expert = layer.experts[site.expert ?? 0]
    case .sharedExpert:
      guard site.expert == nil else { return nil }
      expert = layer.shared?.expert
    }
    return switch site.role {
    case .w1, .sharedW1: expert?.gate
    case .w2, .sharedW2: expert?.down
    case .w3, .sharedW3: expert?.up
    case .query: layer.query
    case .key: layer.key
    case .value: layer.value
    case .output: layer.output
    }
  }

  /// The tensor of a site that the model has.
  package func reference(of site: Site) -> TensorReference {
    guard let reference = referenceIfPresent(of: site) else { preconditionFailure("the model has no \(site)") }
    return reference
  }

  // MARK: Weights

  /// The model with one matrix replaced by another of the same shape and type.
  package func replacing(_ site: Site, by matrix: StoredMatrix) -> Model {
    let reference = reference(of: site)
    precondition(matrix.rows == reference.rows && matrix.columns == reference.columns, "shapes differ")
    var result = self
    result.replacements[reference] = matrix
    return result
  }

  /// A tensor as it is stored, or as it was replaced.
  package func stored(_ reference: TensorReference) throws(CheckpointError) -> StoredMatrix {
    if let replacement = replacements[reference] { return replacement }
    return try checkpoint.matrix(reference)
  }

  /// A tensor's numbers in float32.
  ///
  /// - Throws: `CheckpointError` if one of them is not finite.
  package func weights(_ reference: TensorReference) throws(CheckpointError) -> Matrix {
    let result = Matrix(rows: reference.rows, columns: reference.columns)
    try decode(reference, rows: 0..<reference.rows, into: result)
    return result
  }

  /// A weight matrix for products with the tokens that the model is used on.
  func weightsForProducts(_ reference: TensorReference) throws(CheckpointError) -> ProductWeights {
    usesStoredWeights ? .stored(try stored(reference)) : .packed(try packed(reference))
  }

  /// Some rows or columns of a weight matrix, or all, ready for products of the model's precision. Of some columns, the
  /// pages stay: the other columns are in them too.
  func packed(
    _ reference: TensorReference, rows: Range<Int>? = nil, columns: Range<Int>? = nil, precision: Precision? = nil
  ) throws(CheckpointError) -> PackedMatrix {
    try packed([weight(reference)], rows: rows, columns: columns, precision: precision)
  }

  /// A weight matrix in use. While it is held, one that is made of factors is made once.
  struct Weight {
    let reference: TensorReference
    let stored: StoredMatrix
  }

  func weight(_ reference: TensorReference) throws(CheckpointError) -> Weight {
    Weight(reference: reference, stored: try stored(reference))
  }

  /// Weight matrices of one width on top of each other, of each the same rows or columns, or all.
  func packed(
    _ weights: [Weight], rows: Range<Int>? = nil, columns: Range<Int>? = nil, precision: Precision? = nil
  ) throws(CheckpointError) -> PackedMatrix {
    func parts(_ weights: [Weight]) -> [StoredRows] {
      weights.map { StoredRows($0.stored, rows ?? 0..<$0.reference.rows) }
    }
    defer {
      if columns == nil { for weight in weights { release(weight, rows: rows) } }
    }
    do throws(StoredMatrix.NotFinite) {
      return try PackedMatrix(parts(weights), columns: columns, precision: precision ?? self.precision)
    } catch {
      let damaged = weights.first { weight in
        (try? PackedMatrix(parts([weight]), columns: columns, precision: .float32)) == nil
      }
      throw notFinite((damaged ?? weights[0]).reference)
    }
  }

  func decode(_ reference: TensorReference, rows: Range<Int>, into target: Matrix) throws(CheckpointError) {
    let stored = try stored(reference)
    defer { release(reference, rows: rows) }
    do throws(StoredMatrix.NotFinite) { try stored.decode(rows: rows, into: target) } catch {
      throw notFinite(reference)
    }
  }

  /// Some rows and columns, in float64, of a tensor that the caller holds.
  package func doubles(
    of stored: StoredMatrix, at reference: TensorReference, rows: Range<Int>, columns: Range<Int>
  ) throws(CheckpointError) -> DoubleMatrix {
    do throws(StoredMatrix.NotFinite) { return try stored.doubles(rows: rows, columns: columns) } catch {
      throw notFinite(reference)
    }
  }

  func embeddings(of tokens: [Int32]) throws(CheckpointError) -> Matrix {
    let stored = try stored(layout.embedding)
    defer { release(layout.embedding) }
    do throws(StoredMatrix.NotFinite) {
      return try stored.decoded(rowsAt: tokens)
    } catch {
      throw notFinite(layout.embedding)
    }
  }

  /// Gives back the memory of a tensor's pages, if not all weights fit into memory.
  func release(_ weight: Weight, rows: Range<Int>? = nil) {
    guard plan.streams else { return }
    weight.stored.release(rows: rows ?? 0..<weight.reference.rows)
  }

  private func release(_ reference: TensorReference, rows: Range<Int>? = nil) {
    if plan.streams, let weight = try? weight(reference) { release(weight, rows: rows) }
  }

  /// Asks for weights to be read from disk, if not all fit into memory.
  func readAhead(_ references: [TensorReference]) {
    guard plan.streams else { return }
    for reference in references { (try? stored(reference))?.region.readAhead() }
  }

  /// Asks for the first weights that a layer needs; after the last layer, for the vocabulary's.
  func readAhead(layer: Int) {
    guard layer < layout.layers.count else { return readAhead([layout.head]) }
    let layer = layout.layers[layer]
    readAhead([layer.query, layer.key, layer.value, layer.output] + layer.experts.prefix(1).flatMap(\.all))
  }

  func notFinite(_ reference: TensorReference) -> CheckpointError {
    checkpoint.error(.notFinite, tensor: reference.tensor, "it holds a NaN or an infinity; the checkpoint is damaged")
  }
}
