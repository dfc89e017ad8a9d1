internal import Reports

/// With --json, what went wrong is a JSON object on standard output too, so that a program reads one whatever happens.
struct JSONError: Encodable {
  private let error: String
  private let status: Int32

  /// Prints the object, if it is asked for and there is something to say.
  static func show(_ message: String, status: Int32) {
    guard status != 0, !message.isEmpty, CommandLine.arguments.prefix(while: { $0 != "--" }).contains("--json"),
      let text = try? jsonText(JSONError(error: message, status: status))
    else { return }
    print(text, terminator: "")
  }
}
