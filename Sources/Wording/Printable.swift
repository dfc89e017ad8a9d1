/// What a file says, fit to be shown to people: control characters must not reach a terminal.
///
/// - Parameter replacement: What is shown instead of a control character.
package func printable(_ text: String, replacement: (Unicode.Scalar) -> String = { _ in "\u{FFFD}" }) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: result += replacement(scalar)
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// A text as one line that does not fill the terminal: of a long one, the beginning and the end.
package func oneLine(_ text: String) -> String {
  let line = printable(text)
  return line.count > 800 ? "\(line.prefix(500)) … \(line.suffix(200))" : line
}
