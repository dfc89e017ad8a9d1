extension Strategy {
  /// What runs it.
  var search: any SearchStrategy.Type {
    switch self {
    case .filters: FilterSearch.self
    case .sweep: Sweep.self
    case .greedy: Greedy.self
    case .noiseEdge: NoiseEdge.self
    case .denoise: Denoise.self
    }
  }
}
