package import Models
package import Tensors

/// Given the inputs of matrices while tokens pass a layer: the roles of those that share them, the expert of a mixture
/// that they belong to, and the inputs, a row for each token that comes there, in the tokens' order.
package typealias InputObserver = (_ roles: [Role], _ expert: Int?, _ inputs: Matrix) -> Void
