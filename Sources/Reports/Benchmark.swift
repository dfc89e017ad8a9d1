internal import Checkpoints
internal import Wording

/// A dataset of the Hugging Face Hub that has a leaderboard, which a file of questions is from.
package struct Benchmark: Sendable {
  /// The name of the file.
  package let questions: String
  /// The dataset's id on the Hub.
  let dataset: String
  /// As the dataset's eval.yaml names it.
  let task: String

  package static let syntax = "FILE=OWNER/NAME:TASK, as in arc_easy.jsonl=allenai/ai2_arc:ARC-Easy"

  /// Nil for what is not of the form `syntax`.
  package init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    let place = parts[1].split(separator: ":", maxSplits: 1)
    guard place.count == 2, let id = HubName(String(place[0]))?.id, !parts[0].contains("/") else { return nil }
    (questions, dataset, task) = (String(parts[0]), id, String(place[1]))
  }

  /// The file that the Hub reads the score from, in the model's folder.
  var path: String { ".eval_results/\(questions.split(separator: ".").first ?? "questions").yaml" }

  static let mark = "# Written by laser from the report of a search."

  /// One entry of `.eval_results`, as the Hub's documentation describes them.
  ///
  /// - Parameter accuracy: A share of right answers.
  func entry(accuracy: Double, note: String) -> String {
    """
    \(Self.mark)
    - dataset:
        id: \(yamlScalar(dataset))
        task_id: \(yamlScalar(task))
      value: \(Numbers.fixed(100 * accuracy, 2))
      notes: \(yamlScalar(note))

    """
  }
}
