internal import Checkpoints
internal import Inference
package import Models
internal import Tensors

extension Evaluation {
  /// Runs every window and sums the squares of what comes to each matrix, column by column; of a mixture, expert by
  /// expert.
  ///
  /// Sums are taken token after token in float64: the same bits in much memory and in little, by however many threads.
  ///
  /// - Parameters:
  ///   - model: One that GGUF can hold.
  ///   - memory: Bytes that the whole may take: see `MemoryPlan`.
  ///   - progress: Called with the share done.
  package func importance(
    of model: Model, memory: Int, progress: (Double) throws -> Void = { _ in }
  ) throws -> ImportanceMatrix {
    let (groups, plan) = try groups(
      for: [model], memory: memory, others: InputSquares.byteCount(of: model), perToken: model.bytesOfInputs)
    let model = model.within(plan)
    let layerCount = model.configuration.layerCount
    let squares = (0..<layerCount).map { _ in InputSquares() }
    for (index, group) in groups.enumerated() {
      let forward = try ForwardPass(model, WindowBatch(Array(windows[group])))
      let states = try forward.embeddings()
      for layer in 0..<layerCount {
        try forward.run(layer: layer, states, observe: squares[layer].add)
        try progress(Double(index * layerCount + layer + 1) / Double(groups.count * layerCount))
      }
    }
    var entries: [String: ImportanceMatrix.Entry] = [:]
    for layer in 0..<layerCount {
      let experts = model.layout.layers[layer].router == nil ? nil : model.configuration.mixture?.expertCount
      for (role, entry) in squares[layer].entries(experts: experts) {
        entries[role.ggufTensor(layer: layer, isStacked: experts != nil)] = entry
      }
    }
    return ImportanceMatrix(
      entries: entries, datasets: corpora.map(\.name), windows: windows.count, context: context)
  }
}

/// The sums of squares of one layer.
private final class InputSquares {
  /// Of matrices that share their inputs.
  private struct Place: Hashable {
    let roles: [Role]
    let expert: Int?
  }

  private var sums: [Place: DoubleMatrix] = [:]
  private var counts: [Place: Int] = [:]

  func add(_ roles: [Role], _ expert: Int?, _ inputs: Matrix) {
    let place = Place(roles: roles, expert: expert)
    var sum = sums[place] ?? .zeros(rows: 1, columns: inputs.columns)
    sums[place] = nil
    addColumnDots(inputs, inputs, groups: [0..<inputs.rows], to: &sum)
    sums[place] = sum
    counts[place, default: 0] += inputs.rows
  }

  /// - Parameter experts: How many a mixture has; nil for a dense layer.
  func entries(experts: Int?) -> [(Role, ImportanceMatrix.Entry)] {
    var result: [(Role, ImportanceMatrix.Entry)] = []
    for roles in Set(sums.keys.map(\.roles)) {
      let own = sums.filter { $0.key.roles == roles }
      guard let width = own.first?.value.columns else { continue }
      let places: [Place] =
        own.keys.contains { $0.expert != nil }
        ? (0..<(experts ?? 1)).map { Place(roles: roles, expert: $0) } : [Place(roles: roles, expert: nil)]
      let entry = ImportanceMatrix.Entry(
        sums: places.flatMap { own[$0]?.elements.map { Float($0) } ?? Array(repeating: 0, count: width) },
        counts: places.map { counts[$0] ?? 0 })
      result += roles.map { ($0, entry) }
    }
    return result
  }

  static func byteCount(of model: Model) -> Int {
    let expert = { (matrices: TensorLayout.Expert) in matrices.gate.columns + matrices.down.columns }
    let numbers = model.layout.layers.reduce(0) { sum, layer in
      sum + 2 * model.configuration.hiddenSize + model.configuration.largestOfHeads(\.contextWidth)
        + layer.experts.reduce(0) { $0 + expert($1) } + (layer.shared.map { expert($0.expert) } ?? 0)
    }
    return numbers * MemoryLayout<Double>.stride
  }
}
