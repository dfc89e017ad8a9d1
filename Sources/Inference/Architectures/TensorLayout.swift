package import Checkpoints

/// Where a model's weights are in its checkpoint. Each architecture makes one; no one else knows tensor names.
package struct TensorLayout: Sendable {
  package let embedding: TensorReference
  package let finalNorm: TensorReference
  /// (vocabulary, hidden); the embedding itself when they are tied.
  package let head: TensorReference
  package let layers: [Layer]

  package struct Layer: Sendable {
    package let attentionNorm: TensorReference
    package let query: TensorReference
    package let key: TensorReference
    package let value: TensorReference
    package let output: TensorReference
    package let feedForwardNorm: TensorReference
    /// (experts, hidden); nil for a dense model, whose feed-forward layer is its one expert.
    package let router: TensorReference?
    package let experts: [Expert]
  }

  package struct Expert: Sendable {
    /// w1 and w3: (intermediate, hidden); w2: (hidden, intermediate).
    package let gate: TensorReference
    package let up: TensorReference
    package let down: TensorReference
  }

  var all: [TensorReference] {
    [embedding, finalNorm, head]
      + layers.flatMap { layer in
        [layer.attentionNorm, layer.query, layer.key, layer.value, layer.output, layer.feedForwardNorm]
          + (layer.router.map { [$0] } ?? []) + layer.experts.flatMap { [$0.gate, $0.up, $0.down] }
      }
  }
}
