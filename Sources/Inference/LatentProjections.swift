internal import Checkpoints
internal import Models
internal import Tensors

/// Queries, keys and values made of latents (multi-head latent attention, arXiv 2405.04434).
///
/// With x a normed state: queries are W_qb norm(W_qa x), or W_q x; W_kva x is the keys' and values' latent c and the
/// rotated part r of every head's key; W_kvb norm(c) is, head by head, the plain part of its key and its value.
struct LatentProjections {
  /// Of norms of latents, whatever config.json says of the others.
  static let epsilon: Float = 1e-6

  let layout: TensorLayout.LatentAttention
  private let heads: HeadShape
  private let queryLatent: Latent?
  private let query: ProductWeights
  private let keyValueLatent: Latent
  private let keyValueUp: ProductWeights

  /// A latent of some states.
  struct Latent {
    let weights: ProductWeights
    let bias: Matrix?
    let norm: Matrix

    init(_ model: Model, _ layout: TensorLayout.LatentAttention.Latent) throws(CheckpointError) {
      weights = try model.weightsForProducts(layout.matrix)
      bias = try model.bias(layout.bias)
      norm = try model.normWeights(layout.norm)
    }

    var width: Int { norm.columns }

    /// The latent, and what stands beside it.
    func project(_ normed: Matrix) -> Matrix {
      let result = Matrix(unfilled: normed.rows, columns: weights.rows)
      multiply(normed, transposed: weights, into: result)
      if let bias { addRow(bias, to: result) }
      return result
    }

    /// The latent alone, normed.
    func normed(_ projected: Matrix) -> Matrix {
      let result = Matrix(unfilled: projected.rows, columns: width)
      normalize(projected[columns: 0..<width], weight: norm, epsilon: epsilon, into: result)
      return result
    }
  }

  init(_ model: Model, _ layout: TensorLayout.LatentAttention, _ heads: HeadShape) throws(CheckpointError) {
    self.layout = layout
    self.heads = heads
    queryLatent = try layout.queryDown.map { latent throws(CheckpointError) in try Latent(model, latent) }
    query = try model.weightsForProducts(layout.query)
    keyValueLatent = try Latent(model, layout.keyValueDown)
    keyValueUp = try model.weightsForProducts(layout.keyValueUp)
  }

  func project(_ normed: Matrix) -> Matrix { steps(normed).projected }

  /// What is made on the way from some normed states, for the way back.
  struct Steps {
    /// The queries' latent before and after its norm; nil without one.
    let queryLatent: (plain: Matrix, normed: Matrix)?
    /// The keys' and values' latent, with the rotated part of the keys beside it, and the latent normed.
    let keyValueLatent: (plain: Matrix, normed: Matrix)
    /// Queries, keys and values side by side.
    let projected: Matrix
  }

  func steps(_ normed: Matrix) -> Steps {
    Profile.measure(.attentionProjections) {
      let projected = Matrix(unfilled: normed.rows, columns: heads.projectionWidth)
      let queries = projected[columns: 0..<heads.queryWidth]
      let queryLatent = queryLatent.map { latent in
        let plain = latent.project(normed)
        return (plain: plain, normed: latent.normed(plain))
      }
      multiply(queryLatent?.normed ?? normed, transposed: query, into: queries)
      let plain = keyValueLatent.project(normed)
      let latent = keyValueLatent.normed(plain)
      let expanded = Matrix(unfilled: normed.rows, columns: keyValueUp.rows)
      multiply(latent, transposed: keyValueUp, into: expanded)
      for head in 0..<heads.count {
        let columns = columns(of: head)
        projected[columns: columns.plainKey].assign(expanded[columns: columns.expandedKey])
        projected[columns: columns.rotatedKey].assign(plain[columns: keyValueLatent.width..<plain.columns])
        projected[columns: columns.value].assign(expanded[columns: columns.expandedValue])
      }
      return Steps(queryLatent: queryLatent, keyValueLatent: (plain, latent), projected: projected)
    }
  }

  /// Where a head's parts stand among queries, keys and values, and among what the latent is expanded to.
  struct HeadColumns {
    let plainKey: Range<Int>
    let rotatedKey: Range<Int>
    let value: Range<Int>
    let expandedKey: Range<Int>
    let expandedValue: Range<Int>
  }

  func columns(of head: Int) -> HeadColumns {
    let (dimension, value) = (heads.dimension, heads.valueDimension)
    let plain = heads.rotatedStart
    let key = heads.queryWidth + head * dimension
    let values = heads.queryWidth + heads.keyWidth + head * value
    let expanded = head * (plain + value)
    return HeadColumns(
      plainKey: key..<key + plain, rotatedKey: key + plain..<key + dimension, value: values..<values + value,
      expandedKey: expanded..<expanded + plain, expandedValue: expanded + plain..<expanded + plain + value)
  }

  // MARK: The way back

  /// From gradients at queries, keys and values to those at what each matrix makes.
  struct Gradients {
    /// At what the matrices of the latents make; nil without a latent of queries.
    let queryLatent: Matrix?
    let keyValueLatent: Matrix
    /// At what the latent of keys and values is expanded to.
    let expanded: Matrix
  }

  /// - Parameters:
  ///   - gradient: At queries, keys and values side by side.
  ///   - query: The query matrix, and the one that expands the latent, for products with gradients.
  func propagate(
    _ gradient: Matrix, through steps: Steps, query: TransposedWeights, keyValueUp: TransposedWeights
  ) -> Gradients {
    Profile.measure(.attentionProjections) {
      let expanded = Matrix(unfilled: gradient.rows, columns: self.keyValueUp.rows)
      let latentGradient = Matrix(rows: gradient.rows, columns: steps.keyValueLatent.plain.columns)
      let rotated = latentGradient[columns: keyValueLatent.width..<latentGradient.columns]
      for head in 0..<heads.count {
        let columns = columns(of: head)
        expanded[columns: columns.expandedKey].assign(gradient[columns: columns.plainKey])
        expanded[columns: columns.expandedValue].assign(gradient[columns: columns.value])
        // All heads share it.
        addGroupedRows(gradient[columns: columns.rotatedKey].copy(), group: 1, into: rotated)
      }
      let normed = Matrix(unfilled: gradient.rows, columns: keyValueLatent.width)
      keyValueUp.multiply(expanded, into: normed)
      normalizeGradient(
        steps.keyValueLatent.plain[columns: 0..<keyValueLatent.width], weight: keyValueLatent.norm,
        epsilon: Self.epsilon, gradient: normed, addingTo: latentGradient[columns: 0..<keyValueLatent.width])
      let queryGradient = zip(queryLatent, steps.queryLatent) { latent, made in
        let normed = Matrix(unfilled: gradient.rows, columns: latent.width)
        query.multiply(gradient[columns: 0..<heads.queryWidth], into: normed)
        let result = Matrix(rows: gradient.rows, columns: latent.width)
        normalizeGradient(
          made.plain, weight: latent.norm, epsilon: Self.epsilon, gradient: normed, addingTo: result)
        return result
      }
      return Gradients(queryLatent: queryGradient, keyValueLatent: latentGradient, expanded: expanded)
    }
  }

  private func zip<A, B, Result>(_ a: A?, _ b: B?, _ body: (A, B) -> Result) -> Result? {
    guard let a, let b else { return nil }
    return body(a, b)
  }
}
