internal import Evaluation
internal import Inference
internal import Models
internal import Tensors

/// Scores that later ranks of a site got while an earlier one was tried.
///
/// Above a site's layer the models of all its ranks are the same: several of them pass those layers together, so that
/// weights are read and packed once. The model of another rank is the same whether or not an earlier one is kept, so
/// this changes no outcome.
struct RankPrefetch {
  private var site: Site?
  private var variants: [Int: Variant] = [:]
  /// How many ranks run together at most.
  static let most = 4

  /// A model of the site with one rank, and −log p by shard, of whole rounds.
  struct Variant {
    let changed: ChangedModel
    var roundCount = 0
    var likelihoods: [[TokenLikelihood]] = []
  }

  /// Forgets everything.
  mutating func clear() { (site, variants) = (nil, [:]) }

  /// Goes on with what is known of a site, and nothing of any other.
  mutating func begin(_ site: Site) {
    if self.site != site { clear() }
    self.site = site
  }

  /// What is known of a rank, which is then the caller's to keep or to put back.
  mutating func take(_ rank: Int) -> Variant? { variants.removeValue(forKey: rank) }

  mutating func put(_ variant: Variant, rank: Int) { variants[rank] = variant }
}
