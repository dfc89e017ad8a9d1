internal import Checkpoints
internal import Inference
internal import Models
internal import Tensors
internal import Tokenization
internal import Wording

/// The routers of a merge: for every layer a matrix (experts, hidden) whose rows are directions of the layer's states.
///
/// A router's logits are the products of these rows with the normed state that enters the feed-forward layer, so a row
/// that points where an expert's prompts lie sends similar text to that expert. A shared expert's gate is a row made
/// the same way, of which the sigmoid is taken.
struct Gates {
  struct Layer {
    /// (experts, hidden)
    let router: DoubleMatrix
    /// (1, hidden); nil without a shared expert.
    let shared: DoubleMatrix?
  }

  private let configuration: MergeConfiguration
  private let base: Model
  private let tokenizer: Tokenizer?

  /// - Parameter tokenizer: The base's; needed where the mode needs prompts.
  init(_ configuration: MergeConfiguration, base: Model, tokenizer: Tokenizer?) {
    self.configuration = configuration
    self.base = base
    self.tokenizer = tokenizer
  }

  /// The routers of all layers, in order.
  func layers(progress: (Double) throws -> Void) throws -> [Layer] {
    switch configuration.gateMode {
    case .hidden: try fromStates(progress)
    case .cheapEmbed: Array(repeating: try fromEmbeddings(), count: base.configuration.layerCount)
    case .random: random { $0.nextNormal() }
    case .uniformRandom:
      // As torch.nn.Linear begins: uniform within ±1/√inputs.
      random { (2 * $0.nextUniform() - 1) / Double(base.configuration.hiddenSize).squareRoot() }
    }
  }

  // MARK: From prompts

  private struct Prompt {
    let expert: Int
    let isPositive: Bool
    let tokens: [Int32]
  }

  private func prompts() throws -> [Prompt] {
    guard let tokenizer else { throw InputError("\(base.checkpoint.path): prompts need its tokenizer.json") }
    return try configuration.contributors.enumerated().flatMap { number, expert in
      try [(expert.positivePrompts, true), (expert.negativePrompts, false)].flatMap { texts, isPositive in
        try texts.map { text in
          let tokens = try tokenizer.encode(text)
          guard !tokens.isEmpty else {
            throw InputError("\(configuration.place(number)): the prompt \"\(text)\" has no tokens")
          }
          return Prompt(expert: number, isPositive: isPositive, tokens: tokens)
        }
      }
    }
  }

  private func batch(of prompts: [Prompt]) -> WindowBatch {
    WindowBatch(prompts.map { WindowBatch.Window(tokens: $0.tokens, firstScored: $0.tokens.count) })
  }

  /// For every layer the states that enter it: the mean over an expert's positive prompts of the last token's, less
  /// that of its negative ones, scaled to length 1. All prompts pass the layers as one batch.
  private func fromStates(_ progress: (Double) throws -> Void) throws -> [Layer] {
    let prompts = try prompts()
    let batch = batch(of: prompts)
    let forward = try ForwardPass(base, batch)
    let states = try forward.embeddings()
    let layerCount = base.configuration.layerCount
    var result: [Layer] = []
    for layer in 0..<layerCount {
      result.append(
        try self.layer(of: prompts) { prompt in
          states.row(batch.rows[prompt].upperBound - 1).map(Double.init)
        })
      try progress(Double(layer + 1) / Double(layerCount))
      // No layer asks for what the last one makes.
      if layer < layerCount - 1 { try forward.run(layer: layer, states) }
      base.checkpoint.releaseAll()
    }
    return result
  }

  /// The same for all layers: the mean of the embeddings of all tokens of an expert's positive prompts scaled to length
  /// 1, less that of its negative ones, scaled to length 1 again.
  private func fromEmbeddings() throws -> Layer {
    let prompts = try prompts()
    let batch = batch(of: prompts)
    let embeddings = try ForwardPass(base, batch).embeddings()
    let sums = batch.rows.map { rows in
      rows.reduce(Array(repeating: 0.0, count: embeddings.columns)) { sum, row in
        zip(sum, embeddings.row(row)).map { $0 + Double($1) }
      }
    }
    base.checkpoint.releaseAll()
    return try self.layer(of: prompts, normalizesParts: true) { sums[$0] }
  }

  /// - Parameter vector: Gives the vector of a prompt, by its number.
  private func layer(
    of prompts: [Prompt], normalizesParts: Bool = false, _ vector: (Int) -> [Double]
  ) throws -> Layer {
    let hidden = base.configuration.hiddenSize
    func row(_ expert: Int) throws -> [Double] {
      func mean(positive: Bool) -> [Double] {
        let numbers = prompts.indices.filter { prompts[$0].expert == expert && prompts[$0].isPositive == positive }
        let sum = numbers.reduce(Array(repeating: 0.0, count: hidden)) { zip($0, vector($1)).map(+) }
        let mean = sum.map { $0 / Double(max(1, numbers.count)) }
        return normalizesParts ? normalized(mean) : mean
      }
      let row = normalized(zip(mean(positive: true), mean(positive: false)).map(-))
      guard row.contains(where: { $0 != 0 }) else {
        throw InputError("\(configuration.place(expert)): its positive and negative prompts cancel out; give others")
      }
      return row
    }
    let count = configuration.experts.count
    return Layer(
      router: DoubleMatrix(rows: count, columns: hidden, elements: try (0..<count).flatMap(row)),
      shared: try configuration.shared.map { shared in
        guard !shared.positivePrompts.isEmpty else { return undecided }
        return DoubleMatrix(rows: 1, columns: hidden, elements: try row(count))
      })
  }

  /// The gate of a shared expert that nothing is said of: every token takes half of what it adds.
  private var undecided: DoubleMatrix {
    let hidden = base.configuration.hiddenSize
    return DoubleMatrix(rows: 1, columns: hidden, elements: Array(repeating: 0, count: hidden))
  }

  /// Scaled to length 1; zero stays zero.
  private func normalized(_ vector: [Double]) -> [Double] {
    let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return norm > 1e-8 ? vector.map { $0 / norm } : vector.map { _ in 0 }
  }

  // MARK: From a seed

  private func random(_ draw: (inout SplitMix64) -> Double) -> [Layer] {
    let (experts, hidden) = (configuration.experts.count, base.configuration.hiddenSize)
    return (0..<base.configuration.layerCount).map { layer in
      var numbers = SplitMix64(seed: configuration.seed, name: "gate \(layer)")
      return Layer(
        router: DoubleMatrix(
          rows: experts, columns: hidden, elements: (0..<experts * hidden).map { _ in draw(&numbers) }),
        shared: configuration.shared.map { _ in undecided })
    }
  }
}
