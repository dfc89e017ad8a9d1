internal import ArgumentParser
internal import Reports

/// With --json, what went wrong is a JSON object on standard output too, so that a program reads one whatever happens.
struct JSONError: Encodable {
  private let error: String
  private let status: Int32

  /// Prints the object, if it is asked for and the error has something to say.
  static func show(_ error: any Error) {
    guard CommandLine.arguments.prefix(while: { $0 != "--" }).contains("--json") else { return }
    let (message, code) = (Laser.message(for: error), Laser.exitCode(for: error))
    guard code != .success, !message.isEmpty,
      let text = try? jsonText(JSONError(error: message, status: code.rawValue))
    else { return }
    print(text, terminator: "")
  }
}
