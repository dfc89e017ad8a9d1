internal import Yams

/// A text as a value in YAML: one line, in quotes where it would be read as something else, as `null` or `1.5` would.
package func yamlScalar(_ text: String) -> String {
  let line = String(text.map { $0.isNewline || $0.isASCII && ($0.asciiValue ?? 32) < 32 ? " " : $0 })
  let dumped = (try? Yams.dump(object: [line], width: -1, allowUnicode: true)) ?? ""
  return String(dumped.dropFirst(2).prefix { !$0.isNewline })
}

/// What Yams or a decoder has to say about a file, on one line.
package func yamlProblem(_ error: any Error) -> String {
  func place(_ context: DecodingError.Context) -> String {
    let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
    return path.isEmpty ? "" : " at \(path)"
  }
  return switch error {
  case DecodingError.keyNotFound(let key, let context): "\"\(key.stringValue)\" is missing\(place(context))"
  case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
    DecodingError.dataCorrupted(let context):
    "a value of another kind than expected\(place(context))"
  default:
    // What Yams quotes may be as long as the file.
    String(String(describing: error).split(whereSeparator: \.isNewline).joined(separator: " ").prefix(200))
  }
}
