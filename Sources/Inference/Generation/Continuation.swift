internal import Checkpoints
package import Models
internal import Tensors

/// A text that a model continues token by token: what it has made of the tokens so far stays in key-value caches.
package struct Continuation: ~Copyable {
  private let model: Model
  private let rotary: RotaryEmbeddings
  private let caches: [TextCache]
  /// The tokens so far.
  package private(set) var count = 0
  private let capacity: Int

  /// From so many new tokens on, packing weights pays.
  private static let manyTokens = 16

  /// - Parameter capacity: The tokens that the text may have in the end.
  package init(_ model: Model, capacity: Int) {
    self.model = model
    self.capacity = capacity
    rotary = RotaryEmbeddings(positions: capacity, model.configuration)
    caches = model.layout.layers.indices.map { model.newCache(layer: $0, capacity: capacity) }
  }

  /// Appends the next tokens of the text; returns the logits of the token after them.
  ///
  /// - Throws: `UnknownToken` for a token outside the vocabulary, `CheckpointError` for damaged weights.
  package mutating func append(_ tokens: [Int32]) throws -> [Float] {
    precondition(!tokens.isEmpty && count + tokens.count <= capacity, "no room for \(tokens.count) tokens")
    let size = model.configuration.vocabularySize
    if let token = tokens.first(where: { $0 < 0 || Int($0) >= size }) {
      throw ForwardPass.UnknownToken(token: token, vocabularySize: size)
    }
    var model = model
    model.execution.usesStoredWeights = tokens.count < Self.manyTokens
    let states = try model.embeddings(of: tokens)
    for (layer, cache) in caches.enumerated() {
      try model.mixer(layer: layer).apply(to: states, continuing: cache, rotary: rotary)
      _ = try FeedForward(model, layer: layer).apply(to: states)
    }
    count += tokens.count
    model.execution.usesStoredWeights = true
    let logits = try VocabularyHead(model).logits(states[rows: states.rows - 1..<states.rows]).row(0)
    guard logits.allSatisfy(\.isFinite) else {
      throw CheckpointError(
        .notFinite, file: model.checkpoint.path, "the model's output is not a number; its weights are damaged")
    }
    return logits
  }
}
