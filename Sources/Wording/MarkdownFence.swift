/// A block of code in Markdown. Its fence is longer than any run of backticks in the code.
///
/// - Parameter language: What the code is written in, for programs that colour it.
package func fenced(_ code: String, language: String = "") -> String {
  var (longest, run) = (2, 0)
  for character in code {
    run = character == "`" ? run + 1 : 0
    longest = max(longest, run)
  }
  let fence = String(repeating: "`", count: longest + 1)
  return "\(fence)\(language)\n\(code)\n\(fence)"
}
