internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import Tokenization
internal import Wording

/// What a search measures models on: texts, questions or both, some to search on and some that are held out.
struct SearchMaterial {
  let search: Evaluation
  let heldOut: Evaluation

  /// LASER's own protocol: a fifth of the questions selects, the others report.
  private static let searchShare = 0.2

  init(_ settings: SearchSettings, _ model: Model, _ tokenizer: Tokenizer) throws {
    let texts = settings.text.isEmpty ? nil : try Self.texts(settings, tokenizer)
    let questions = settings.questions.isEmpty ? nil : try Self.questions(settings, model, tokenizer)
    func joined(_ part: ((search: Evaluation, heldOut: Evaluation)) -> Evaluation) throws -> Evaluation {
      guard let texts else { return try questions.map(part) ?? Self.nothing() }
      return questions.map { part(texts).joined(part($0), share: settings.shareOfQuestions) } ?? part(texts)
    }
    search = try joined(\.search)
    heldOut = try joined(\.heldOut)
    guard search.windows.count(where: { $0.scoredCount > 0 }) > 1 else {
      let (what, more) = settings.text.isEmpty ? ("question", "questions") : ("window of text", "text")
      throw InputError(
        "\((settings.text + settings.questions).joined(separator: ", ")): one \(what) cannot tell a gain from noise; "
          + "give more \(more)")
    }
  }

  private static func nothing() throws(InputError) -> Evaluation { throw InputError("nothing to search on") }

  private static func texts(
    _ settings: SearchSettings, _ tokenizer: Tokenizer
  ) throws -> (search: Evaluation, heldOut: Evaluation) {
    func evaluation(_ paths: [String]) throws -> Evaluation {
      try Evaluation(
        paths.map { try Corpus(file: $0, tokenizer: tokenizer) }, convention: settings.convention,
        context: settings.context, tokenizer: tokenizer)
    }
    let search = try evaluation(settings.text)
    let heldOut = settings.heldOut.isEmpty ? nil : try evaluation(settings.heldOut)
    try refuseRepeated(search, heldOut)
    return try heldOut.map { (search, $0) } ?? search.halves()
  }

  private static func questions(
    _ settings: SearchSettings, _ model: Model, _ tokenizer: Tokenizer
  ) throws -> (search: Evaluation, heldOut: Evaluation) {
    let encoder = try QuestionEncoder(model, tokenizer)
    func evaluation(_ paths: [String]) throws -> Evaluation {
      try Evaluation(paths.map { try QuestionFile($0, suffix: settings.querySuffix) }, encoder)
    }
    let search = try evaluation(settings.questions)
    let heldOut = settings.heldOutQuestions.isEmpty ? nil : try evaluation(settings.heldOutQuestions)
    try refuseRepeated(search, heldOut)
    return try heldOut.map { (search, $0) } ?? search.divided(share: searchShare)
  }

  /// A text that counts twice would look like twice the evidence.
  private static func refuseRepeated(_ search: Evaluation, _ heldOut: Evaluation?) throws(InputError) {
    let corpora = search.corpora + (heldOut?.corpora ?? [])
    for (index, corpus) in corpora.enumerated()
    where corpora[..<index].contains(where: { $0.fingerprint == corpus.fingerprint }) {
      throw InputError(
        "\(corpus.path): the same text is given twice; a search needs different texts to search on and to hold out")
    }
  }
}
