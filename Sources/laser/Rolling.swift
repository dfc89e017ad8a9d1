internal import Evaluation
internal import Glibc

/// Of a text that is scored whole, what does not depend on how it is cut into tokens: the scores that
/// lm-evaluation-harness gives for rolling log-likelihoods.
struct Rolling: Encodable {
  /// exp of nats per word: what runs of white space divide.
  let wordPerplexity: Double
  /// exp of nats per UTF-8 byte.
  let bytePerplexity: Double
  let bitsPerByte: Double

  enum CodingKeys: String, CodingKey {
    case wordPerplexity = "word_perplexity"
    case bytePerplexity = "byte_perplexity"
    case bitsPerByte = "bits_per_byte"
  }

  /// Nil for dialogues, of which only a part is scored.
  init?(_ score: Score, of corpus: Corpus) {
    guard corpus.documents == nil, corpus.byteCount > 0, corpus.wordCount > 0 else { return nil }
    let nats = score.windows.reduce(0) { $0 + $1.nll }
    wordPerplexity = exp(nats / Double(corpus.wordCount))
    bytePerplexity = exp(nats / Double(corpus.byteCount))
    bitsPerByte = nats / Double(corpus.byteCount) / log(2)
  }
}
