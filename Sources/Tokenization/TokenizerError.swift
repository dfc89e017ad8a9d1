internal import Wording

/// Why a tokenizer's file cannot be used, or a text cannot be encoded with it.
///
/// `location` is a path inside the file, such as `model.merges[17]`; the caller knows the file's name and adds it.
package struct TokenizerError: Error, Sendable, CustomStringConvertible {
  package let location: String
  package let problem: String
  package let remedy: String

  /// One line: what the file quotes is shortened, and its control characters are escaped.
  package var description: String {
    let place = location.isEmpty ? "" : " \(Self.oneLine(location))"
    return "tokenizer\(place): \(Self.oneLine(problem)); \(remedy)"
  }

  private static func oneLine(_ text: String) -> String {
    let longest = 200
    let start = String(text.unicodeScalars.prefix(longest))
    return printable(start) { $0.escaped(asASCII: true) } + (text.unicodeScalars.count > longest ? "…" : "")
  }
}

extension TokenizerError {
  /// What is said of a part of the file that has a meaning, but not one this module computes.
  static func unsupported(_ what: String, at location: String) -> TokenizerError {
    TokenizerError(
      location: location,
      problem: "\(what) is not supported",
      remedy: "use a tokenizer without it, as the ids would differ if it were ignored"
    )
  }

  /// What is said of a part of the file that contradicts the format or another part.
  static func malformed(_ problem: String, at location: String) -> TokenizerError {
    TokenizerError(location: location, problem: problem, remedy: "fetch or export the file again")
  }
}
