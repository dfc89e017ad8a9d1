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
    package let attentionNorm: TensorReference
    package internal(set) var query: TensorReference
    package internal(set) var key: TensorReference
    package internal(set) var value: TensorReference
    package let output: TensorReference
    /// Added to queries, keys and values: three of them, or none.
    package let projectionBiases: [TensorReference]
    package let outputBias: TensorReference?
    /// RMSNorm of queries and of keys before they are rotated: one weight for every head, or one for all heads at once.
    package let queryNorm: TensorReference?
    package let keyNorm: TensorReference?
    /// How many keys a query sees, itself included; nil for all before it.
    package let slidingWindow: Int?

    package let feedForwardNorm: TensorReference
    /// (experts, hidden); nil for a dense layer, which is its one expert.
    package let router: TensorReference?
    package let experts: [Expert]
    package let shared: SharedExpert?
  }

  package struct Expert: Sendable {
    /// w1 and w3: (intermediate, hidden); w2: (hidden, intermediate).
    package let gate: TensorReference
    package let up: TensorReference
    package let down: TensorReference

    package var all: [TensorReference] { [gate, up, down] }
  }

  /// An expert that every token goes to, weighted by a gate of its own.
  package struct SharedExpert: Sendable {
    package let expert: Expert
    /// (1, hidden); the weight is sigmoid(gate · x).
    package let gate: TensorReference
  }

  var all: [TensorReference] {
    [embedding, finalNorm, head]
      + layers.flatMap { layer -> [TensorReference] in
        let attention = [layer.attentionNorm, layer.query, layer.key, layer.value, layer.output]
        let optional = [layer.outputBias, layer.queryNorm, layer.keyNorm, layer.router, layer.shared?.gate]
        let experts = layer.experts + (layer.shared.map { [$0.expert] } ?? [])
        return attention + layer.projectionBiases + optional.compactMap(\.self) + [layer.feedForwardNorm]
          + experts.flatMap(\.all)
      }
  }

  /// Norms and biases: the tensors of one dimension.
  var vectors: Set<TensorReference> {
    Set(
      [finalNorm]
        + layers.flatMap { layer in
          [layer.attentionNorm, layer.feedForwardNorm] + layer.projectionBiases
            + [layer.outputBias, layer.queryNorm, layer.keyNorm].compactMap(\.self)
        })
  }
}
