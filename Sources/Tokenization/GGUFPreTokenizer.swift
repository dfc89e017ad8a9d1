/// A way to cut a text into words that llama.cpp has a name for (src/llama-vocab.cpp), which `tokenizer.ggml.pre` gives.
struct GGUFPreTokenizer: Sendable {
  enum Step: Equatable, Sendable {
    case digits(individually: Bool)
    /// The matches of a regular expression, and what lies between.
    case isolating(String)
  }

  /// The first is the one that is written.
  let names: [String]
  /// What llama.cpp does, whose regular expressions are of another kind: they are given as Oniguruma's that match the
  /// same.
  let steps: [Step]
  /// Words that are tokens stay whole.
  var ignoresMerges = false
  /// Where the file does not say whether a begin token stands before a text.
  var addsBeginning = false
  /// Whether llama.cpp tells case apart in ASCII only, or marks not from letters, where the models do.
  var ignoresMarksAndCase = false
  /// Steps of tokenizer.json files that go by this name, besides its own: they cut nearly every text alike.
  var others: [[Step]] = []

  init(
    _ names: String..., steps: [Step], ignoresMerges: Bool = false, addsBeginning: Bool = false,
    ignoresMarksAndCase: Bool = false, others: [[Step]] = []
  ) {
    self.names = names
    self.steps = steps
    self.ignoresMerges = ignoresMerges
    self.addsBeginning = addsBeginning
    self.ignoresMarksAndCase = ignoresMarksAndCase
    self.others = others
  }

  static func named(_ name: String) -> GGUFPreTokenizer? { all.first { $0.names.contains(name) } }

  /// Nil where llama.cpp has no name for the steps.
  static func name(of steps: [Step], ignoresMerges: Bool) -> String? {
    let steps = steps.map(\.withEscapes)
    func isNamed(by other: [Step]) -> Bool { other.map(\.withEscapes) == steps }
    return all.first {
      $0.ignoresMerges == ignoresMerges && (isNamed(by: $0.steps) || $0.others.contains(where: isNamed))
    }?
    .names.first
  }

  static let all: [GGUFPreTokenizer] = [
    GGUFPreTokenizer(
      "gpt-2", "phi-2", "olmo", "mpt", "jais", "trillion", "granite-docling", "exaone4", "gigachat", "mellum",
      "a.x-4.0", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "modern-bert",
      steps: [.gpt2], others: [[.isolating(WordExpressions.shortGPT2)]]),
    GGUFPreTokenizer(
      "smollm", "refact", "starcoder", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2",
      steps: [.digits(individually: true), .gpt2],
      others: [[.isolating(#"\p{N}"#), .gpt2], [.digits(individually: true), .isolating(WordExpressions.shortGPT2)]]),
    GGUFPreTokenizer(
      "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
      steps: [.llama3], ignoresMerges: true, addsBeginning: true,
      others: WordExpressions.llama3.map { [.isolating($0)] }),
    GGUFPreTokenizer(
      "smaug-bpe", "dbrx", steps: [.llama3], others: WordExpressions.llama3.map { [.isolating($0)] }),
    GGUFPreTokenizer("glm4", "glm5", steps: [.llama3], ignoresMerges: true),
    GGUFPreTokenizer("chatglm-bpe", steps: [.llama3]),
    GGUFPreTokenizer(
      "qwen2", "stablelm2", "deepseek-r1-qwen", "kormo", "megrez", "hunyuan", "solar-open", "grok-2", "f2llmv2",
      steps: [.isolating(WordExpressions.ggufQwen2)], others: [[.isolating(WordExpressions.qwen2)]]),
    GGUFPreTokenizer(
      "qwen35", steps: [.isolating(WordExpressions.qwen35(WordExpressions.ggufContraction))],
      others: [[.isolating(WordExpressions.qwen35(WordExpressions.contraction))]]),
    GGUFPreTokenizer(
      "tekken", steps: [.isolating(WordExpressions.ggufByCase(number: #"\p{N}"#))], ignoresMerges: true,
      addsBeginning: true, ignoresMarksAndCase: true,
      others: [[.isolating(WordExpressions.byCase(number: #"\p{N}"#))]]),
    GGUFPreTokenizer(
      "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2",
      steps: [.isolating(WordExpressions.ggufByCase(ending: WordExpressions.ggufContraction + "?"))],
      ignoresMarksAndCase: true,
      others: [[.isolating(WordExpressions.byCase(ending: WordExpressions.contraction + "?"))]]),
    GGUFPreTokenizer(
      "granite-embed-multi-97m",
      steps: [
        .isolating(WordExpressions.ggufByCase(letter: #"\p{L}\p{M}"#, ending: WordExpressions.ggufContraction + "?"))
      ],
      ignoresMerges: true, ignoresMarksAndCase: true,
      others: [[.isolating(WordExpressions.byCase(ending: WordExpressions.contraction + "?"))]]),
    GGUFPreTokenizer(
      "tiny_aya", "cohere2moe",
      steps: [
        .isolating(#"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))"#), .isolating(WordExpressions.ggufWithoutCase),
      ],
      ignoresMarksAndCase: true,
      others: [
        [
          .isolating(#"\d{1,3}(?=(?:\d{3})*\b)"#),
          .isolating(WordExpressions.byCase(ending: WordExpressions.contraction + "?")),
        ]
      ]),
    GGUFPreTokenizer(
      "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4",
      steps: [.isolating(#"\p{N}{1,3}"#), .isolating("[一-龥぀-ゟ゠-ヿ]+"), .isolating(WordExpressions.deepSeek3)]),
    GGUFPreTokenizer(
      "deepseek-llm",
      steps: [
        .isolating("[\r\n]"), .isolating(WordExpressions.spacedLetters),
        .isolating(#"\s?(?:(?!\s)[!-/:-~！-／：-～‘-‟　-。])+"#), .isolating(#"\s+\z"#), .ideographsWithoutSpaces,
        .isolating(#"\p{N}+"#),
      ],
      others: [
        [
          .isolating("[\r\n]"), .isolating(WordExpressions.spacedLetters),
          .isolating(#"\s?[!-/:-~！-／：-～‘-‟　-。]+"#), .isolating(#"\s+$"#), .ideographs, .digits(individually: true),
        ]
      ]),
    GGUFPreTokenizer(
      "deepseek-coder",
      steps: [
        .isolating("[\r\n]"), .isolating(#"\s?\p{L}+"#), .isolating(#"\s?\p{P}+"#), .ideographsWithoutSpaces,
        .digits(individually: true),
      ],
      others: [
        [
          .isolating("[\r\n]"), .isolating(#"\s?\p{L}+"#), .isolating(#"\s?\p{P}+"#), .ideographs,
          .digits(individually: true),
        ]
      ]),
    GGUFPreTokenizer(
      "falcon", steps: [.isolating(#"[\p{P}$+<=>^~|`]+"#), .gpt2, .isolating("[0-9][0-9][0-9]")]),
    GGUFPreTokenizer(
      "superbpe", steps: [.isolating(#"\p{N}+"#), .isolating(#"(?=(?:[0-9]{3})+(?![0-9]))"#)],
      others: [[.isolating(#"\p{N}+"#), .isolating(#"(?=(\d{3})+(?!\d))"#)]]),
    GGUFPreTokenizer(
      "bailingmoe", "bailingmoe2", "llada-moe",
      steps: [.isolating(WordExpressions.bailing("'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])"))],
      others: [
        [.isolating(WordExpressions.possessive(number: #"\p{N}"#))]
      ]),
    GGUFPreTokenizer(
      "seed-coder", steps: [.isolating(WordExpressions.seedCoder(WordExpressions.ggufContraction))],
      others: [[.isolating(WordExpressions.seedCoder(WordExpressions.contraction))]]),
    GGUFPreTokenizer(
      "minicpm5",
      steps: [
        .isolating(#"\p{N}{1,3}"#),
        .isolating(WordExpressions.modern(WordExpressions.ggufContraction, number: #"\p{N}+"#)),
      ],
      ignoresMerges: true,
      others: [
        [
          .isolating(#"\p{N}{1,3}"#),
          .isolating(WordExpressions.modern(WordExpressions.contraction, number: #"\p{N}+"#)),
        ]
      ]),
    GGUFPreTokenizer("bloom", "poro-chat", "gpt3-finnish", steps: [.wordsBetweenPunctuation], others: [[.bloom]]),
    GGUFPreTokenizer(
      "viking", steps: [.wordsBetweenPunctuation, .isolating(#"\p{N}"#)],
      others: [[.bloom, .digits(individually: true)], [.bloom, .isolating(#"\p{N}"#)]]),
    GGUFPreTokenizer(
      "default",
      steps: [
        .isolating(#"[\p{P}$+<=>^~|]+"#), .gpt2, .digits(individually: false), .isolating("[0-9][0-9][0-9]"),
      ]),
  ]
}

extension GGUFPreTokenizer.Step {
  /// With line breaks as files may spell them in place of the characters themselves.
  fileprivate var withEscapes: Self {
    guard case .isolating(let expression) = self else { return self }
    let spelled: [Unicode.Scalar: String] = ["\r": #"\r"#, "\n": #"\n"#]
    return .isolating(expression.unicodeScalars.map { spelled[$0] ?? String($0) }.joined())
  }

  static let gpt2 = Self.isolating(WordExpressions.gpt2)
  fileprivate static let llama3 = Self.isolating(WordExpressions.ggufLlama3)
  fileprivate static let ideographs = Self.isolating("[一-龥ࠀ-一가-퟿]+")
  /// llama.cpp takes every white space for an ASCII one, which is no ideograph.
  fileprivate static let ideographsWithoutSpaces = Self.isolating(#"(?:(?!\s)[一-龥ࠀ-一가-퟿])+"#)
  fileprivate static let wordsBetweenPunctuation = Self.isolating(#" ?[^(\s|.,!?…。，、।۔،)]+"#)
  fileprivate static let bloom = Self.isolating(#" ?[^(\s|[.,!?…。，、।۔،])]+"#)
}
