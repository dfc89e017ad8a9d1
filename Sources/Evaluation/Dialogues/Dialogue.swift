internal import Checkpoints
internal import Wording

/// Messages of a chat, of which some are scored.
struct Dialogue {
  /// Objects with a role and a content.
  let messages: [JSON]
  /// By message.
  let isScored: [Bool]

  static let syntax = "{\"messages\": [{\"role\", \"content\", \"score\"}]}"

  /// - Parameter json: One line of a file. What has no `score` is scored if it is an answer and no message of the dialogue
  ///   has one.
  init(_ json: JSON) throws(InputError) {
    guard let entries = json["messages"]?.array, !entries.isEmpty else {
      throw InputError("not a dialogue; give \(Self.syntax)")
    }
    for (index, entry) in entries.enumerated() {
      guard entry["role"]?.string != nil, entry["content"]?.string != nil else {
        throw InputError("message \(index + 1) should have a \"role\" and a \"content\", both texts")
      }
      guard entry["score"].map({ $0.boolean != nil }) ?? true else {
        throw InputError("the \"score\" of message \(index + 1) should be true or false")
      }
    }
    let says = entries.contains { $0["score"] != nil }
    isScored = entries.map { says ? $0["score"]?.boolean ?? false : $0["role"]?.string == "assistant" }
    guard isScored.contains(true) else {
      throw InputError("no message to score: none is of the role \"assistant\", or has \"score\": true")
    }
    messages = entries.map { entry in .object((entry.members ?? []).filter { $0.key != "score" }) }
  }
}
