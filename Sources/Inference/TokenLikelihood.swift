/// What a model gives a token after those before it.
package struct TokenLikelihood: Sendable, Equatable, BitwiseCopyable {
  /// −log p in nats.
  package let nll: Double
  /// Whether no other token is likelier: a model that takes the likeliest each time takes this one.
  package let isTop: Bool

  package init(nll: Double, isTop: Bool) { (self.nll, self.isTop) = (nll, isTop) }
}
