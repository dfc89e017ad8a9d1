internal import ArgumentParser
internal import Evaluation

/// Which questions, and how they are put.
struct QuestionOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Files of questions: JSON lines with query, choices and gold; or context and continuation.", valueName: "file"),
    completion: .file())
  var questions: [String] = []

  @Option(help: ArgumentHelp("What ends every query, as in $'\\nAnswer:'.", valueName: "text"))
  var querySuffix = ""

  @Option(help: ArgumentHelp("Questions to take of each file at most, the first ones.", valueName: "count"))
  var limit: Int?

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("'--limit' must be at least 1.") }
    if questions.isEmpty, limit != nil || !querySuffix.isEmpty {
      throw ValidationError("'--limit' and '--query-suffix' go with '--questions'.")
    }
  }

  func files() throws -> [QuestionFile] {
    try questions.map { try QuestionFile($0, suffix: querySuffix, limit: limit) }
  }
}
