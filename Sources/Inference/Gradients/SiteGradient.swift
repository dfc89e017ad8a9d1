package import Models
package import Tensors

/// What a loss's change depends on, to first order, when the matrix W of a site becomes W + Δ: for a token with input x
/// and with gradient g at the matrix's output W x, the loss changes by g · Δ x.
package struct SiteGradient: Sendable {
  package let site: Site
  /// x: (rows, columns of W)
  package let inputs: Matrix
  /// g, in nats: (rows, rows of W)
  package let gradients: Matrix
  /// The batch's token that a row belongs to; ascending.
  package let tokens: [Int32]

  package init(site: Site, inputs: Matrix, gradients: Matrix, tokens: [Int32]) {
    precondition(inputs.rows == tokens.count && gradients.rows == tokens.count, "one row for each token")
    (self.site, self.inputs, self.gradients, self.tokens) = (site, inputs, gradients, tokens)
  }
}
