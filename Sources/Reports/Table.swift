internal import Wording

/// Rows of text in columns, for a terminal or for Markdown. The first column is flush left, the others flush right.
package struct Table: Sendable {
  package var header: [String]
  package var rows: [[String]] = []

  package init(_ header: [String]) { self.header = header }

  package mutating func append(_ row: [String]) {
    precondition(row.count == header.count, "a row of another width")
    rows.append(row)
  }

  // MARK: Terminal

  package static let terminalColumns = 80

  package var plain: String { plain(columns: Self.terminalColumns) }

  /// As wide as its text, and no wider than so many columns if shortening the first one can bring that about: the
  /// others hold numbers, which lose their meaning with any digit.
  package func plain(columns limit: Int) -> String {
    let cells = ([header] + rows).map { $0.map { printable($0) } }
    var widths = header.indices.map { column in cells.map { terminalWidth($0[column]) }.max() ?? 0 }
    let excess = widths.reduce(0, +) + 2 * widths.count - limit
    if excess > 0, let first = widths.first { widths[0] = min(first, max(Self.narrowestName, first - excess)) }
    let lines = cells.map { row in
      let padded = row.enumerated().map { column, text in
        let text = column == 0 ? shortened(text, to: widths[0]) : text
        let padding = String(repeating: " ", count: max(0, widths[column] - terminalWidth(text)))
        return column == 0 ? text + padding : padding + text
      }
      return trimmed("  " + padded.joined(separator: "  "))
    }
    return lines.joined(separator: "\n")
  }

  private static let narrowestName = 12

  private func trimmed(_ line: String) -> String {
    var line = Substring(line)
    while line.last == " " { line = line.dropLast() }
    return String(line)
  }

  // MARK: Markdown

  package var markdown: String {
    func line(_ row: [String]) -> String { "| " + row.map(Self.escaped).joined(separator: " | ") + " |" }
    let rule = "|" + header.indices.map { $0 == 0 ? " --- |" : " ---: |" }.joined()
    return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      if "\\|*_`<>[]&".contains(character) { result.append("\\") }
      result.append(character.isNewline ? " " : character)
    }
    return result
  }
}
