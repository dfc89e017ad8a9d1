internal import Models
internal import RankReduction
internal import Tensors

extension Reducer {
  /// A site's matrix with a rank, from its decomposition where that is at hand.
  func reduced(_ site: Site, to rank: Int, _ decomposition: SiteDecomposition?) throws -> StoredMatrix {
    if let decomposition { return try decomposition.reduced(to: rank) }
    let matrices = try reduced([Reduction(site: site, kind: kind, rank: rank)])
    return matrices[0].matrix
  }
}
