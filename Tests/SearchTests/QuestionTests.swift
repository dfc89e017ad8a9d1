import Checkpoints
import Evaluation
import Foundation
import Inference
import Models
import Testing
import Tokenization
import Wording

/// Questions as files have them, as tokens, and as scores.
@Suite struct QuestionTests {
  private static let posy = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/runs/posy"
  private static let tokenizer = Result { try Tokenizer(path: posy + "/model") }

  private func read(_ text: String, suffix: String = "", limit: Int? = nil) throws -> [Question] {
    let path = FileManager.default.temporaryDirectory.appending(path: "questions-\(UUID().uuidString).jsonl")
    defer { try? FileManager.default.removeItem(at: path) }
    try Data(text.utf8).write(to: path)
    return try QuestionFile(path.path, suffix: suffix, limit: limit).questions
  }

  // MARK: Files

  @Test func threeKindsOfLines() throws {
    let choices = try read(
      "{\"query\":\"Q\",\"choices\":[\"a\",\"b\"],\"gold\":1,\"id\":7}\n\n  \r\n{\"query\":\"R\",\"choices\":[\"c\",\"d\",\"é\"],\"gold\":0}\r\n",
      suffix: "\nAnswer:")
    #expect(choices.map(\.line) == [1, 4] && choices.map(\.gold) == [1, 0])
    #expect(choices[0].pairs.map(\.context) == ["Q\nAnswer:", "Q\nAnswer:"])
    #expect(choices[1].pairs.map(\.continuation) == [" c", " d", " é"])
    #expect(choices[1].characters == [1, 1, 1] && choices[1].bytes == [1, 1, 2])
    let contexts = try read(#"{"context_options":["He","She"],"continuation":"ran.","gold":1}"#)
    #expect(contexts[0].pairs.map(\.context) == ["He", "She"] && contexts[0].pairs[1].continuation == " ran.")
    #expect(contexts[0].characters == [2, 3])
    let words = try read(
      "{\"context\":\"a b\",\"continuation\":\"c\"}\n{\"context\":\"a b\",\"continuation\":\"\\nc\"}")
    #expect(words.map(\.pairs[0].continuation) == [" c", "\nc"] && words[0].kind == .continuation)
    #expect(try read("{\"context\":\"a\",\"continuation\":\"c\"}\nnonsense", limit: 1).count == 1)
  }

  @Test(
    arguments: [
      ("{\"query\":\"a\",\"choices\":[\"b\",\"c\"],\"gold\":0}\n{\"query\":", "line 2: not valid JSON"),
      ("[1]", "line 1: not a question"), ("{\"text\":\"a\"}", "line 1: not a question"),
      (#"{"query":"a","choices":["b"],"gold":0}"#, "two texts or more"),
      (#"{"query":"a","choices":["b",1],"gold":0}"#, "two texts or more"),
      (#"{"query":"a","choices":["b",""],"gold":0}"#, "an empty text"),
      (#"{"query":"a","choices":["b","c"],"gold":2}"#, "from 0 to 1"),
      (#"{"query":"a","choices":["b","c"],"gold":-1}"#, "from 0 to 1"),
      (#"{"query":"a","choices":["b","c"],"gold":"b"}"#, "from 0 to 1"),
      (#"{"query":"a","choices":["b","c"]}"#, "\"gold\""), (#"{"query":1,"choices":["b","c"],"gold":0}"#, "\"query\""),
      (#"{"context":"a"}"#, "\"continuation\""), (#"{"context":"a","continuation":" "}"#, "is empty"),
      (#"{"context_options":["a","b"],"gold":0}"#, "\"continuation\""),
      (
        "{\"context\":\"a\",\"continuation\":\"b\"}\n{\"query\":\"a\",\"choices\":[\"b\",\"c\"],\"gold\":0}",
        "line 2: a question of another kind"
      ),
      ("\n \n", "no questions in it"), ("{\"query\":\"\u{1}\"}", "line 1"),
    ])
  func aLineThatIsNoQuestionIsNamed(_ text: String, _ problem: String) throws {
    let error = #expect(throws: InputError.self) { try read(text) }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "no error")")
  }

  // MARK: Tokens

  private func encoder(length: Int = 512) throws -> QuestionEncoder {
    QuestionEncoder(try Self.tokenizer.get(), prefix: 1, length: length)
  }

  /// What lm-evaluation-harness makes of a context and a continuation, step by step.
  @Test func contextAndContinuationAreEncodedTogether() throws {
    let tokenizer = try Self.tokenizer.get()
    let question = Question(query: "Once upon \t", choices: ["a time", "the sea"], gold: 0, line: 1)
    let window = try encoder().window(question, number: 0, of: "file")
    let context = try tokenizer.encode("Once upon")
    #expect(Array(window.tokens.prefix(context.count)) == context && context.first == 1)
    for (choice, part) in zip(question.choices, window.parts) {
      // The white space has gone to the continuation.
      let whole = try tokenizer.encode("Once upon \t " + choice)
      #expect(Array(window.targets[part]) == Array(whole[context.count...]))
    }
    #expect(window.shared >= context.count)
  }

  @Test func aTextThatBeginsWithItsFirstTokenGetsNoOther() throws {
    let question = Question(context: "<s>Once", continuation: "upon", line: 1)
    let window = try encoder().window(question, number: 0, of: "file")
    #expect(window.tokens.first == 1 && window.tokens[1] != 1)
  }

  @Test func aTextTooLongLosesItsBeginning() throws {
    let tokenizer = try Self.tokenizer.get()
    let context = Array(repeating: "rain", count: 60).joined(separator: " ")
    let question = Question(query: context, choices: ["snow", "a longer storm"], gold: 0, line: 1)
    let window = try encoder(length: 16).window(question, number: 0, of: "file")
    // Each text keeps its own last tokens, of which the last is only predicted.
    let texts = try question.choices.map { Array(try tokenizer.encode(context + " " + $0).suffix(17)) }
    let paths = [Array(window.tokens.prefix(window.shared))] + window.branches.map { Array(window.tokens[$0]) }
    #expect(paths[0].count + (paths.dropFirst().first?.count ?? 0) == 16)
    #expect(zip(texts, window.parts).allSatisfy { Array($0.suffix($1.count)) == Array(window.targets[$1]) })
    #expect(throws: InputError.self) { try encoder(length: 2).window(question, number: 0, of: "file") }
  }

  @Test func choicesWithoutTheirQuestion() throws {
    let tokenizer = try Self.tokenizer.get()
    let question = Question(query: "Once", choices: ["a time", "the sea"], gold: 0, line: 3)
    let window = try encoder().windowWithoutContext(question, number: 0, of: "file")
    #expect(window.tokens.first == 1)
    #expect(Array(window.targets[window.parts[1]]) == (try tokenizer.encode(" the sea", addSpecialTokens: false)))
    let nameless = QuestionEncoder(tokenizer, prefix: nil, length: 64)
    let error = #expect(throws: InputError.self) {
      try nameless.windowWithoutContext(question, number: 0, of: "file")
    }
    #expect(error?.description.contains("file, line 3") == true)
    #expect(tokenizer.prefixToken == 1)
  }

  // MARK: Scores

  private func answer(_ likelihoods: [Double], _ choices: [String], gold: Int = 0) -> Answer {
    Answer(
      question: Question(query: "q", choices: choices, gold: gold, line: 1), logLikelihoods: likelihoods,
      isGreedy: likelihoods.map { _ in false })
  }

  @Test func rulesDifferByWhatTheyDivideBy() {
    var found = answer([-3, -8, -11], ["a", "bbb", "ééééé"])
    #expect(found.choice(.acc) == 0 && found.choice(.accNorm) == 2 && found.choice(.accBytes) == 2)
    #expect(answer([-3, -8, -11], ["a", "bbb", "éééé"]).choice(.accBytes) == 2)
    #expect(answer([-2.5, -8, -11], ["a", "bbb", "éééé"]).choice(.accNorm) == 0)
    #expect(answer([-2.5, -8, -11], ["a", "bbb", "éééé"]).choice(.accBytes) == 2)
    #expect(found.choice(.accMutualInfo) == nil && found.isRight(.accMutualInfo) == nil)
    found.withoutContext = [-1, -8, -5]
    #expect(found.choice(.accMutualInfo) == 1)
    // Of equal ones the first, as numpy's argmax.
    #expect(answer([-2, -1, -1], ["a", "b", "c"]).choice(.acc) == 1)
  }

  @Test func likelihoodAndBrierOfTheRightChoice() throws {
    let found = answer([log(0.2), log(0.6)], ["a", "b"])
    #expect(abs(found.nll - log(4)) < 1e-12 && abs(found.probabilities[1] - 0.75) < 1e-12)
    #expect(abs(try #require(found.brier) - 2 * 0.75 * 0.75) < 1e-12)
    // Far below what exp can say.
    let far = answer([-2000, -2001], ["a", "b"])
    #expect(abs(far.nll - log(1 + exp(-1))) < 1e-12)
    let word = Answer(
      question: Question(context: "a", continuation: "b", line: 1), logLikelihoods: [-2], isGreedy: [true])
    #expect(word.nll == 2 && word.isRight() == true && word.isRight(.accNorm) == nil && word.brier == nil)
    let score = TaskScore([word, word])
    #expect(abs(score.likelihood.perplexity - exp(2)) < 1e-12 && score.accuracy(.acc)?.share == 1)
  }

  @Test func errorsOfAccuracies() throws {
    let accuracy = try #require(Accuracy([true, true, false, true]))
    #expect(accuracy.share == 0.75 && abs(accuracy.standardError - 0.25) < 1e-15)
    #expect(Accuracy([]) == nil && Accuracy(right: 1, count: 1).standardError == .infinity)
  }

  /// The derivative that a backward pass begins with is that of the sample.
  @Test func theMetricsGradientIsItsDerivative() throws {
    let question = Question(query: "q", choices: ["a", "b"], gold: 1, line: 1)
    let metric = AnswerMetric([question])
    let window = WindowBatch.Window(
      texts: [.init(tokens: [1, 2, 3], firstScored: 1), .init(tokens: [1, 4], firstScored: 1)], number: 0)
    let nlls = [0.7, 1.1, 1.5]
    func sample(_ nlls: [Double]) -> Double {
      metric.sample(window, nlls.map { TokenLikelihood(nll: $0, isTop: false) }[...]).nll
    }
    let gradient = metric.gradient(window, nlls.map { TokenLikelihood(nll: $0, isTop: false) }[...])
    for index in nlls.indices {
      var (more, less) = (nlls, nlls)
      more[index] += 1e-5
      less[index] -= 1e-5
      #expect(abs((sample(more) - sample(less)) / 2e-5 - gradient[index]) < 1e-8)
    }
  }

  /// Questions are run together and layer by layer; each gets what it would alone.
  @Test func answersOfAModel() throws {
    let model = try Model(path: Self.posy + "/model")
    let encoder = try QuestionEncoder(model, Self.tokenizer.get())
    let path = FileManager.default.temporaryDirectory.appending(path: "questions-\(UUID().uuidString).jsonl")
    defer { try? FileManager.default.removeItem(at: path) }
    let lines = (0..<5).map {
      "{\"query\":\"Once upon a time there were \($0) ships\",\"choices\":[\"at sea\",\"in the garden of the king\"],\"gold\":0}"
    }
    try Data(lines.joined(separator: "\n").utf8).write(to: path)
    let file = try QuestionFile(path.path)
    let evaluation = try Evaluation([file], encoder)
    let answers = try evaluation.answers(model)
    let score = try evaluation.score(model)
    #expect(answers.map(\.question) == file.questions && score.windows.map(\.nll) == answers.map(\.nll))
    #expect(score.tokens == 5 && score.accuracy?.count == 5 && score.accuracyByLength?.count == 5)
    let some = try evaluation.part([1, 3]).answers(model)
    #expect(some == [answers[1], answers[3]])
  }
}

/// Statistics of answers that change.
@Suite struct AnswerComparisonTests {
  private func answers(_ right: [Bool]) -> [Answer] {
    right.enumerated().map { number, isRight in
      Answer(
        question: Question(query: "\(number)", choices: ["a", "b"], gold: 0, line: number + 1),
        logLikelihoods: isRight ? [-1, -2] : [-2, -1], isGreedy: [false, false])
    }
  }

  @Test func healedAndBroken() {
    let comparison = AnswerComparison(
      answers([true, false, false, true, false]), answers([true, true, true, false, false]), by: .acc)
    #expect(comparison.healed == [1, 2] && comparison.broken == [3])
    #expect(comparison.accuracies.first.right == 2 && comparison.accuracies.second.right == 3)
    #expect(comparison.mcNemar == 1)
    // −log of the right choice's probability changes by ∓1, and not where nothing changes.
    #expect(abs(comparison.likelihoods.mean + 0.2) < 1e-12)
  }

  /// Values of R's binom.test(min, n, ½).
  @Test func mcNemarsExactTest() {
    #expect(AnswerComparison.mcNemar(healed: 0, broken: 0) == 1)
    #expect(abs(AnswerComparison.mcNemar(healed: 5, broken: 0) - 0.0625) < 1e-12)
    #expect(abs(AnswerComparison.mcNemar(healed: 10, broken: 2) - 0.03857421875) < 1e-12)
    #expect(abs(AnswerComparison.mcNemar(healed: 3, broken: 9) - 0.14599609375) < 1e-12)
    #expect(AnswerComparison.mcNemar(healed: 4000, broken: 4000) == 1)
  }
}
