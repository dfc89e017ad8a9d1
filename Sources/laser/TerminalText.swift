internal import Glibc
internal import Reports

/// Texts as a terminal shows them whole: lines that fit its width, broken between words.
enum TerminalText {
  /// The columns of the terminal that a stream is; nil if it is none.
  static func columns(_ descriptor: Int32) -> Int? {
    guard isatty(descriptor) == 1 else { return nil }
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return Table.terminalColumns }
    return Int(size.ws_col)
  }

  /// Breaks lines that are too long between words. What is broken goes on below where its line began. A word that is
  /// longer than a line, as paths are, has one of its own.
  ///
  /// - Parameter columns: Of the terminal; nil leaves lines as they are, for files and other programs.
  static func wrapped(_ text: String, columns: Int?) -> String {
    guard let columns else { return text }
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      guard visibleWidth(line) > columns else { return String(line) }
      let indent = line.prefix { $0 == " " }
      var lines: [String] = []
      var current = String(indent)
      var width = indent.count
      for word in line.dropFirst(indent.count).split(separator: " ", omittingEmptySubsequences: false) {
        let wordWidth = visibleWidth(word)
        if width > indent.count, width + 1 + wordWidth > columns {
          lines.append(current)
          (current, width) = (String(indent), indent.count)
        }
        if width > indent.count {
          current += " "
          width += 1
        }
        current += word
        width += wordWidth
      }
      return (lines + [current]).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// Columns of a text, in which colours take none.
  private static func visibleWidth(_ text: some StringProtocol) -> Int {
    var plain = ""
    var isEscape = false
    for character in text {
      if character == "\u{1B}" {
        isEscape = true
      } else if isEscape {
        isEscape = character != "m"
      } else {
        plain.append(character)
      }
    }
    return terminalWidth(plain)
  }

  /// The first columns of a text, with an ellipsis where something is left out.
  static func cut(_ text: String, columns: Int) -> String {
    guard terminalWidth(text) > columns else { return text }
    var (result, left) = ("", columns - 1)
    for character in text {
      left -= terminalWidth("\(character)")
      guard left >= 0 else { break }
      result.append(character)
    }
    return columns > 0 ? result + "…" : ""
  }
}

/// Prints a result for people, in lines that fit their terminal.
func show(_ text: String) {
  print(TerminalText.wrapped(text, columns: TerminalText.columns(STDOUT_FILENO)), terminator: "")
}
