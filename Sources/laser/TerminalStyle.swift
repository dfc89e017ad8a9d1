internal import Glibc

/// Colours on the terminal: only for people, never in a file or a pipe, and not where NO_COLOR (no-color.org) or
/// --no-color says so.
struct TerminalStyle {
  private let isOn: Bool

  init(isWanted: Bool) {
    let terminal = getenv("TERM").map { String(cString: $0) } ?? "dumb"
    let refusal = getenv("NO_COLOR").map { String(cString: $0) } ?? ""
    isOn = isWanted && refusal.isEmpty && terminal != "dumb" && isatty(STDOUT_FILENO) == 1
  }

  enum Tone: String {
    case strong = "1"
    case good = "32"
    case caution = "33"
  }

  func apply(_ tone: Tone, to text: String) -> String { isOn ? "\u{1B}[\(tone.rawValue)m\(text)\u{1B}[0m" : text }
}
