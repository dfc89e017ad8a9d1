package import Checkpoints

extension Model {
  /// Where a folder of the model has the experts that this one has stacked if they are stored one by one, and their
  /// routers, by where they are. Empty where none are stacked, or there is no such form.
  package var separateExperts: [TensorReference: TensorReference] {
    guard checkpoint.gguf == nil, architecture.readsSeparateExperts else { return [:] }
    let stacked = layout.layers.flatMap(\.experts).flatMap(\.all).filter { $0.shape.count == 3 }
    let names = Set(stacked.map(\.tensor))
    guard !names.isEmpty,
      let other = try? architecture.layout(
        configuration, checkpoint.configuration, contains: { !names.contains($0) && checkpoint.contains($0) })
    else { return [:] }
    var result: [TensorReference: TensorReference] = [:]
    for (own, other) in zip(layout.layers, other.layers) {
      for (matrix, alone) in zip(own.experts.flatMap(\.all), other.experts.flatMap(\.all)) where matrix != alone {
        guard alone.isWholeMatrix, matrix.part == nil else { return [:] }
        result[matrix] = alone
      }
      if let router = own.router, let renamed = other.router, router != renamed { result[router] = renamed }
    }
    return result
  }
}
