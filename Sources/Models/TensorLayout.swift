package import Checkpoints

/// Where a model's weights are in its checkpoint, and what is special to a layer. Each architecture makes one; no one
/// else knows tensor names, but for GGUF's (`GGUFTensor`). Vectors are one row.
package struct TensorLayout: Sendable {
  package let embedding: TensorReference
  package let finalNorm: TensorReference
  /// (vocabulary, hidden); the embedding itself when they are tied.
  package let head: TensorReference
  package internal(set) var layers: [Layer]

  package struct Layer: Sendable {
    /// Of the states that attention takes; nil where it takes them as they are.
    package let attentionNorm: TensorReference?
    package internal(set) var attention: AttentionKind
    /// Of what attention adds to the states.
    package let attentionOutputNorm: TensorReference?
    /// Whether queries and keys are rotated to their positions.
    package let isRotated: Bool
    /// How many keys a query sees, itself included; nil for all before it.
    package let slidingWindow: Int?

    /// Of the states that the feed-forward layer takes; nil where it takes them as they are.
    package let feedForwardNorm: TensorReference?
    /// Of what the feed-forward layer adds to the states.
    package let feedForwardOutputNorm: TensorReference?
    /// (experts, hidden); nil for a dense layer, which is its one expert.
    package let router: TensorReference?
    /// (1, experts): added to weights while experts are chosen by them, and to nothing else.
    package internal(set) var selectionBias: TensorReference?
    package let experts: [Expert]
    package let shared: SharedExpert?

    /// Norms of any kind.
    package var norms: [TensorReference] {
      [attentionNorm, attentionOutputNorm, feedForwardNorm, feedForwardOutputNorm].compactMap(\.self) + attention.norms
    }

    /// The tensors of one dimension that are no norms.
    package var biases: [TensorReference] {
      attention.biases + [selectionBias].compactMap(\.self)
    }

    /// Those that the router chooses from, and the shared one.
    package var allExperts: [Expert] { experts + (shared.map { [$0.expert] } ?? []) }
  }

  package struct Expert: Sendable {
    /// w1 and w3: (intermediate, hidden); w2: (hidden, intermediate).
    package let gate: TensorReference
    package let up: TensorReference
    package let down: TensorReference

    package var all: [TensorReference] { [gate, up, down] }
  }

  /// An expert that every token goes to.
  package struct SharedExpert: Sendable {
    package let expert: Expert
    /// (1, hidden); the weight is sigmoid(gate · x). Nil for a weight of 1.
    package let gate: TensorReference?
  }

  /// In the order in which new checkpoints hold them.
  var all: [TensorReference] {
    [embedding, finalNorm, head]
      + layers.flatMap { layer -> [TensorReference] in
        let first =
          [layer.attentionNorm].compactMap(\.self) + layer.attention.matrices.map(\.reference)
          + layer.attention.otherMatrices
        let optional = [
          layer.attentionOutputNorm, layer.router, layer.selectionBias, layer.shared?.gate,
          layer.feedForwardNorm, layer.feedForwardOutputNorm,
        ]
        return first + layer.attention.biases + layer.attention.norms + optional.compactMap(\.self)
          + layer.allExperts.flatMap(\.all)
      }
  }

  /// Norms and biases: the tensors of one dimension.
  var vectors: Set<TensorReference> { norms.union(layers.flatMap(\.biases)) }

  /// Norms of any kind.
  var norms: Set<TensorReference> { Set([finalNorm] + layers.flatMap(\.norms)) }
}
