internal import Models
internal import RankReduction
internal import Tensors

extension Reducer {
  /// A site's matrix with a rank, from its decomposition where that is at hand.
  func reduced(_ site: Site, to rank: Int, _ decomposition: SiteDecomposition?) throws -> StoredMatrix {
    try (decomposition ?? decompose(site)).reduced(to: rank)
  }
}
