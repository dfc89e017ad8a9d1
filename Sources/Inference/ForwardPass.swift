package import Checkpoints
package import Models
package import Tensors

/// A model run over a batch of windows, layer by layer: all windows pass one layer before any passes the next.
///
/// Each layer's weights are touched once for the whole batch, and every product is large. States are (tokens, hidden).
package struct ForwardPass: Sendable {
  package let model: Model
  package let batch: WindowBatch
  let rotary: RotaryEmbeddings

  /// Tokens that a worker takes at once through attention.
  static let groupTokens = 512

  /// A token that the model has no embedding for.
  package struct UnknownToken: Error, CustomStringConvertible {
    let token: Int32
    let vocabularySize: Int
    package var description: String {
      "token id \(token) is outside the model's vocabulary of \(vocabularySize); the tokenizer belongs to another model"
    }
  }

  package init(_ model: Model, _ batch: WindowBatch) throws(UnknownToken) {
    let size = model.configuration.vocabularySize
    func isUnknown(_ token: Int32) -> Bool { token < 0 || Int(token) >= size }
    let unknown = batch.tokens.first(where: isUnknown) ?? batch.windows.lazy.flatMap(\.targets).first(where: isUnknown)
    if let token = unknown { throw UnknownToken(token: token, vocabularySize: size) }
    self.model = model
    self.batch = batch
    rotary = RotaryEmbeddings(positions: batch.positions, model.configuration)
  }

  private init(_ model: Model, _ other: ForwardPass) {
    self.model = model
    batch = other.batch
    rotary = other.rotary
  }

  /// The same windows through another version of the model.
  package func with(_ model: Model) -> ForwardPass { ForwardPass(model, self) }

  package func embeddings() throws(CheckpointError) -> Matrix {
    model.readAhead(layer: 0)
    return try model.embeddings(of: batch.tokens)
  }

  /// states += attention, in place.
  package func attend(layer: Int, _ states: Matrix) throws(CheckpointError) {
    let mixer = try model.mixer(layer: layer)
    let groups = batch.groups(ofTokens: Self.groupTokens)
    Parallelism.forEach(groups.count) { index in
      let group = batch.group(groups[index])
      mixer.apply(to: states[rows: group.all], windows: group.windows, rotary: rotary)
    }
  }

  /// One whole layer, in place; returns where its tokens went.
  @discardableResult
  package func run(layer: Int, _ states: Matrix) throws(CheckpointError) -> Routing {
    try attend(layer: layer, states)
    return try FeedForward(model, layer: layer).apply(to: states)
  }

  /// What every scored token gets, in the order of the batch, from the states after the last layer.
  package func likelihoods(_ states: Matrix) throws(CheckpointError) -> [TokenLikelihood] {
    let (rows, targets) = batch.predictions
    return try VocabularyHead(model).likelihoods(states, rows: rows, targets: targets)
  }

  /// Computes anew what tokens get that the state of one of these rows predicts; all others stay.
  package func update(
    _ likelihoods: inout [TokenLikelihood], of tokens: Set<Int32>, _ states: Matrix
  ) throws(CheckpointError) {
    let (rows, targets) = batch.predictions
    precondition(likelihoods.count == rows.count, "likelihoods of another batch")
    let affected = rows.indices.filter { tokens.contains(rows[$0]) }
    let updated = try VocabularyHead(model).likelihoods(
      states, rows: affected.map { rows[$0] }, targets: affected.map { targets[$0] })
    for (index, likelihood) in zip(affected, updated) { likelihoods[index] = likelihood }
  }

  /// For every scored token, how far another model's prediction is from this one's. Both have passed the same batch.
  package func divergences(
    _ states: Matrix, from other: ForwardPass, _ otherStates: Matrix
  ) throws(CheckpointError) -> [(nats: Double, sameTop: Bool)] {
    try VocabularyHead(model).divergences(
      states, from: VocabularyHead(other.model), otherStates, rows: batch.predictions.rows)
  }

  /// Logits of every token of the batch: (tokens, vocabulary). For short batches.
  package func logits(_ states: Matrix) throws(CheckpointError) -> Matrix {
    try VocabularyHead(model).logits(states)
  }
}
