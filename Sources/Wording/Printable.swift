/// What a file says, fit to be shown to people: control characters must not reach a terminal.
///
/// - Parameter replacement: What is shown instead of a control character.
package func printable(_ text: String, replacement: (Unicode.Scalar) -> String = { _ in "\u{FFFD}" }) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    if scalar.properties.generalCategory == .control {
      result += replacement(scalar)
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}
