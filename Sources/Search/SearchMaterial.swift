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
  /// What may not get worse; nil where nothing is guarded.
  let guarded: Evaluation?

  /// LASER's own protocol: a fifth of the questions selects, the others report.
  private static let searchShare = 0.2

  init(_ settings: SearchSettings, _ model: Model, _ tokenizer: Tokenizer) throws {
    let texts = settings.text.isEmpty ? nil : try Self.texts(settings, model, tokenizer)
    let questions = settings.questions.isEmpty ? nil : try Self.questions(settings, model, tokenizer)
    func joined(_ part: ((search: Evaluation, heldOut: Evaluation)) -> Evaluation) throws -> Evaluation {
      guard let texts else { return try questions.map(part) ?? Self.nothing() }
      return questions.map { part(texts).joined(part($0), share: settings.shareOfQuestions) } ?? part(texts)
    }
    search = try joined(\.search)
    heldOut = try joined(\.heldOut)
    guarded =
      settings.guardText.isEmpty ? nil : try Self.evaluation(settings.guardText, settings, model, tokenizer)
    try Self.refuseRepeated(guarded?.corpora ?? [], beside: search.corpora + heldOut.corpora)
    guard search.windows.count(where: { $0.scoredCount > 0 }) > 1 else {
      let (what, more) = settings.text.isEmpty ? ("question", "questions") : ("window of text", "text")
      throw InputError(
        "\((settings.text + settings.questions).joined(separator: ", ")): one \(what) cannot tell a gain from noise; "
          + "give more \(more)")
    }
  }

  private static func nothing() throws(InputError) -> Evaluation { throw InputError("nothing to search on") }

  private static func texts(
    _ settings: SearchSettings, _ model: Model, _ tokenizer: Tokenizer
  ) throws -> (search: Evaluation, heldOut: Evaluation) {
    let search = try evaluation(settings.text, settings, model, tokenizer)
    let heldOut =
      settings.heldOut.isEmpty ? nil : try evaluation(settings.heldOut, settings, model, tokenizer)
    try refuseRepeated(search.corpora + (heldOut?.corpora ?? []))
    return try heldOut.map { (search, $0) } ?? search.halves()
  }

  private static func evaluation(
    _ paths: [String], _ settings: SearchSettings, _ model: Model, _ tokenizer: Tokenizer
  ) throws -> Evaluation {
    try Evaluation(
      paths.map { try Corpus(file: $0, tokenizer: tokenizer, model: model.checkpoint.path) },
      convention: settings.convention, context: settings.context, tokenizer: tokenizer)
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
    try refuseRepeated(search.corpora + (heldOut?.corpora ?? []))
    return try heldOut.map { (search, $0) } ?? search.divided(share: searchShare)
  }

  /// A text that counts twice would look like twice the evidence, and one that was held out is no longer, once it guards.
  private static func refuseRepeated(_ corpora: [Corpus], beside others: [Corpus] = []) throws(InputError) {
    for (index, corpus) in corpora.enumerated()
    where (corpora[..<index] + others).contains(where: { $0.fingerprint == corpus.fingerprint }) {
      throw InputError(
        "\(corpus.path): the same text is given twice; a search needs different texts to search on, to hold out and to "
          + "guard")
    }
  }
}
