/// Rows of text in columns, for a terminal or for Markdown. The first column is flush left, the others flush right.
package struct Table: Sendable {
  package var header: [String]
  package var rows: [[String]] = []

  package init(_ header: [String]) { self.header = header }

  package mutating func append(_ row: [String]) {
    precondition(row.count == header.count, "a row of another width")
    rows.append(row)
  }

  package var plain: String {
    let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
    func line(_ row: [String]) -> String {
      let cells = row.enumerated().map { column, text in
        let padding = String(repeating: " ", count: widths[column] - text.count)
        return column == 0 ? text + padding : padding + text
      }
      return "  " + cells.joined(separator: "  ")
    }
    return ([header] + rows).map { trimmed(line($0)) }.joined(separator: "\n")
  }

  package var markdown: String {
    func line(_ row: [String]) -> String { "| " + row.map(Self.escaped).joined(separator: " | ") + " |" }
    let rule = "|" + header.indices.map { $0 == 0 ? " --- |" : " ---: |" }.joined()
    return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      if "\\|*_`<>[]".contains(character) { result.append("\\") }
      result.append(character.isNewline ? " " : character)
    }
    return result
  }

  private func trimmed(_ line: String) -> String {
    var line = Substring(line)
    while line.last == " " { line = line.dropLast() }
    return String(line)
  }
}
