internal import Checkpoints
internal import Models
internal import RankReduction

/// How much work a model's matrices are, in multiplications: from the headers of its files alone.
struct SiteWork {
  private let search: Search
  private let layerWorks: [Double]

  /// The work of some sites. Units are multiplications, up to factors that are measured.
  struct Amount {
    /// The Gram matrix and its eigenvectors.
    var decomposition = 0.0
    /// Making a matrix of a decomposition.
    var reduction = 0.0
    /// For a token: its coordinates along all directions, on both sides. Of an expert, those of a token's share.
    var directions = 0.0
  }

  init(_ search: Search) {
    self.search = search
    layerWorks = search.model.layerWork
  }

  /// The layer that is measured: in the middle of those that are searched.
  var typicalLayer: Int {
    let layers = Set(search.sites.map(\.layer)).sorted()
    return layers.isEmpty ? 0 : layers[layers.count / 2]
  }

  /// A layer's multiplications for a token.
  func layerWork(_ layer: Int) -> Double { layerWorks.indices.contains(layer) ? layerWorks[layer] : 0 }

  /// Of all layers from one on, in units of one layer.
  func layers(from first: Int, unit: Double) -> Double {
    layerWorks.dropFirst(first).reduce(0, +) / max(1, unit)
  }

  func sum(_ sites: [Site]) -> Amount {
    sites.reduce(into: Amount()) { sum, site in
      let reference = search.model.reference(of: site)
      let (rows, columns) = (Double(reference.rows), Double(reference.columns))
      let (side, length) = (min(rows, columns), max(rows, columns))
      sum.decomposition += side * side * (length + 8 * side)
      sum.reduction += side * side * length
      sum.directions += side * (rows + columns) * share(site)
    }
  }

  /// The share of tokens that a site's expert gets, if all get as many.
  private func share(_ site: Site) -> Double {
    guard site.expert != nil, let mixture = search.model.configuration.mixture else { return 1 }
    return Double(mixture.expertsPerToken) / Double(max(1, mixture.expertCount))
  }

  /// Searched sites of a layer to measure: all, or the one that is the least work where all are too much.
  func sample(_ layer: Int, most: Double) -> [Site] {
    let sites = search.sites.filter { $0.layer == layer }
    guard sum(sites).decomposition > most else { return sites }
    return sites.min { sum([$0]).decomposition < sum([$1]).decomposition }.map { [$0] } ?? []
  }
}

extension Model {
  /// By layer: multiplications that a token takes, those of attention between tokens aside.
  var layerWork: [Double] {
    func count(_ references: [TensorReference]) -> Double {
      references.reduce(0) { $0 + Double($1.rows) * Double($1.columns) }
    }
    let active = Double(configuration.expertsPerToken)
    return layout.layers.map { layer in
      let experts = count(layer.experts.flatMap(\.all))
      let perToken = layer.router == nil ? experts : experts * active / Double(max(1, layer.experts.count))
      let all = layer.attention.matrices.map(\.reference) + (layer.shared?.expert.all ?? [])
      return count(all) + perToken
    }
  }
}
