internal import CKernels

/// How heads of attention weigh keys: the softmax of scale · query · key over the keys that a query sees.
package struct AttentionScoring: Sendable {
  /// The numbers that a head's query and key have.
  package let dimension: Int
  /// The numbers that a head's value has.
  package let valueDimension: Int
  /// How many keys a query sees, the last being its own.
  package let sight: Int
  /// What products of queries and keys are multiplied by.
  package let scale: Float
  /// Where scores s become cap · tanh(s / cap) before the softmax; nil where they stay.
  package let cap: Float?
  /// One more score of each head, whose weight goes nowhere (attention sinks, arXiv 2309.17453); nil for none.
  package let sinks: [Float]?

  /// - Parameters:
  ///   - valueDimension: Nil for as many numbers as keys have.
  ///   - scale: Nil for 1 / √dimension.
  package init(
    dimension: Int, valueDimension: Int? = nil, sight: Int = .max, scale: Float? = nil, cap: Float? = nil,
    sinks: [Float]? = nil
  ) {
    precondition(dimension > 0 && valueDimension ?? 1 > 0 && sight > 0)
    self.dimension = dimension
    self.valueDimension = valueDimension ?? dimension
    self.sight = sight
    self.scale = scale ?? 1 / Float(dimension).squareRoot()
    self.cap = cap
    self.sinks = sinks
  }

  /// What multiplies scores inside of the softmax, the cap having multiplied them already.
  var softmaxScale: Float { cap == nil ? scale : 1 }

  /// Makes weights of the products of some neighbouring queries of a head with keys, in place; keys that a query does
  /// not see get 0.
  ///
  /// - Parameters:
  ///   - head: The head's number among those of queries.
  ///   - columns: The keys.
  ///   - start: The place of the first query's own key among them.
  func weigh(_ products: Matrix, head: Int, rows: Int, columns: Int, start: Int) {
    if let cap { laser_soft_cap(products.base, products.stride, rows, columns, scale, cap) }
    laser_causal_softmax(
      products.base, products.stride, rows, columns, start, sight, softmaxScale, sinks?[head] ?? -.infinity)
  }

  /// Checks the shapes of what one text's heads are given.
  func check(queries: Matrix, keys: Matrix, values: Matrix, context: Matrix) {
    precondition(queries.rows <= keys.rows && values.rows == keys.rows, "a token without its key or value")
    precondition(context.rows == queries.rows, "a query without its context")
    let (heads, sharedHeads) = (queries.columns / dimension, keys.columns / dimension)
    precondition(sharedHeads > 0 && heads % sharedHeads == 0, "heads that share no keys")
    precondition(sinks.map { $0.count == heads } ?? true, "a head without its sink")
    precondition(queries.columns == heads * dimension && keys.columns == sharedHeads * dimension, "shapes differ")
    precondition(
      values.columns == sharedHeads * valueDimension && context.columns == heads * valueDimension, "shapes differ")
  }
}
