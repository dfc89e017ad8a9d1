internal import Evaluation

/// A score as report.json has it.
struct ScorePoint: Codable {
  let nll: Double
  /// Null in the file where it is beyond the range of doubles.
  let perplexity: Double
  /// Of questions: the shares of right answers, by likelihoods and by likelihoods per character.
  let acc: Double?
  let accNorm: Double?

  init(_ score: Score) {
    nll = score.meanNLL
    perplexity = score.perplexity
    acc = score.accuracy?.share
    accNorm = score.accuracyByLength?.share
  }

  enum CodingKeys: String, CodingKey {
    case nll, perplexity, acc
    case accNorm = "acc_norm"
  }

  /// The accuracy of questions, the perplexity of text.
  var text: String { Numbers.fixed(acc ?? perplexity, 3) }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    nll = try container.decode(Double.self, forKey: .nll)
    perplexity = try container.decodeIfPresent(Double.self, forKey: .perplexity) ?? .infinity
    acc = try container.decodeIfPresent(Double.self, forKey: .acc)
    accNorm = try container.decodeIfPresent(Double.self, forKey: .accNorm)
  }
}
