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
    /// Of a mixture whose parts have norms of their own; nil for others.
    package internal(set) var mixtureNorms: MixtureNorms?
    /// Of what the feed-forward layer adds to the states.
    package let feedForwardOutputNorm: TensorReference?
    /// (experts, hidden); nil for a dense layer, which is its one expert.
    package let router: TensorReference?
    /// (1, experts): added to the router's logits.
    package internal(set) var routerBias: TensorReference?
    /// (1, experts): added to weights while experts are chosen by them, and to nothing else.
    package internal(set) var selectionBias: TensorReference?
    /// (1, experts): each expert's weights are multiplied by its own number in the end.
    package internal(set) var expertScales: TensorReference?
    package let experts: [Expert]
    package let shared: SharedExpert?
    /// (1, 1): multiplies the states that leave the layer.
    package internal(set) var outputScale: TensorReference?

    /// Norms of any kind.
    package var norms: [TensorReference] {
      [attentionNorm, attentionOutputNorm, feedForwardNorm, feedForwardOutputNorm].compactMap(\.self) + attention.norms
        + (mixtureNorms?.all ?? [])
    }

    /// The tensors of one dimension that are no norms.
    package var biases: [TensorReference] {
      attention.biases + [routerBias, selectionBias, expertScales, outputScale].compactMap(\.self)
        + allExperts.flatMap(\.biases)
    }

    /// Those that the router chooses from, and the shared one.
    package var allExperts: [Expert] { experts + (shared.map { [$0.expert] } ?? []) }
  }

  /// Norms of a mixture whose parts have their own: of the states that router and experts take, the shared one taking them
  /// by the layer's norm; and of what experts and the shared one make, before these are added up.
  package struct MixtureNorms: Sendable {
    package let router: TensorReference
    package let expertsInput: TensorReference
    package let expertsOutput: TensorReference
    package let sharedOutput: TensorReference

    var all: [TensorReference] { [router, expertsInput, expertsOutput, sharedOutput] }
  }

  package struct Expert: Sendable {
    /// w1 and w3: (intermediate, hidden); w2: (hidden, intermediate).
    package let gate: TensorReference
    package let up: TensorReference
    package let down: TensorReference
    /// Added to what gate, up and down make: three of them, or none.
    package internal(set) var biases: [TensorReference] = []

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
          layer.attentionOutputNorm, layer.router, layer.routerBias, layer.selectionBias, layer.shared?.gate,
          layer.feedForwardNorm, layer.feedForwardOutputNorm, layer.expertScales, layer.outputScale,
        ]
        return first + layer.attention.biases + layer.attention.norms + optional.compactMap(\.self)
          + (layer.mixtureNorms?.all ?? [])
          + layer.allExperts.flatMap { $0.all + $0.biases }
      }
  }

  /// Norms and biases: the tensors of one dimension.
  var vectors: Set<TensorReference> { norms.union(layers.flatMap(\.biases)) }

  /// Norms of any kind.
  var norms: Set<TensorReference> { Set([finalNorm] + layers.flatMap(\.norms)) }
}
