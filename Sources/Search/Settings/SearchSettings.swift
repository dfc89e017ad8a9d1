internal import Evaluation
package import Models
package import RankReduction
package import Tensors
internal import Wording

/// All that decides what a search does. Two searches with equal settings on equal files make equal plans.
///
/// A new setting is a property here and a row of the table `Setting.all`: the command line, recipes, journals, reports and
/// the comparison with an earlier search all read the table.
package struct SearchSettings: Sendable, Equatable {
  package var model = ""
  /// A checkpoint; when given, differences to it are reduced instead of the weights.
  package var base: String?
  package var text: [String] = []
  /// Empty to hold out the second half of every text.
  package var heldOut: [String] = []
  /// Texts that may not get worse by more than `guardLimit`.
  package var guardText: [String] = []
  /// Nats per token; nil for `defaultGuardLimit`.
  package var guardLimit: Double?
  /// Files of questions that the search is for, instead of text or beside it.
  package var questions: [String] = []
  /// Empty to hold out four fifths of the questions.
  package var heldOutQuestions: [String] = []
  /// Ends every query.
  package var querySuffix = ""
  /// What the questions are of the whole, beside text.
  package var questionShare: Double?
  package var conventionName = Convention.windows.name
  package var context = 512
  /// For strided windows; nil for half the context.
  package var stride: Int?
  /// Nil for what the model's configuration says.
  package var expertsPerToken: Int?
  package var layers = IndexList.all
  package var experts = IndexList.all
  /// Nil for the strategy's own.
  package var roles: [Role]?
  /// Nil for the strategy's own.
  package var ranks: [RankRule]?
  package var strategy = Strategy.filters
  /// Which factors singular directions may have; for the strategy filters.
  package var filter = FilterKind.shrink
  /// k, how cautious filters are; nil to search it.
  package var damping: Double?
  /// Backward passes, each of the model with the filters that those before found.
  package var rounds = 1
  package var objectiveName = Objective.perplexity.name
  /// Nats per token that the objective size allows; nil for its default.
  package var tolerance: Double?
  /// Of the one-sided test that a reduction must pass to be kept; 0.5 keeps any decrease.
  package var confidence = 0.95
  /// The expected share of false positives among all that is kept; 1 leaves every test to the confidence alone.
  package var falseDiscoveryRate = 0.1
  /// Whether every trial runs over all windows, also when it cannot be accepted any more.
  package var isExhaustive = false
  /// The precision of a trial's first windows, an eighth of all at most. A trial that they do not stop is run in
  /// float32.
  package var screening = Precision.bfloat16
  /// Nil to try everything.
  package var budget: Budget?
  /// Whether random directions are dropped instead of the weakest, to see what a search finds by chance.
  package var isControl = false

  package init() {}
}
