package import Search
internal import Wording

/// The members of a batch and how far each has come, a line each.
///
/// As JSON `{"members": [{"number", "name", "out", "state", "error"}]}`.
package struct BatchList: Encodable {
  package struct Member: Encodable {
    /// From 1.
    let number: Int
    let name: String
    /// The run folder.
    let out: String
    let state: String
    /// Why the run folder cannot be read.
    let error: String?
    fileprivate let text: String

    private enum CodingKeys: String, CodingKey { case number, name, out, state, error }

    package init(number: Int, name: String, out: String, state: Result<RecipeState, any Error>) {
      (self.number, self.name, self.out) = (number, name, out)
      switch state {
      case .success(let state): (self.state, text, error) = (state.rawValue, state.text, nil)
      case .failure(let error): (self.state, text, self.error) = ("unreadable", "unreadable: \(error)", "\(error)")
      }
    }
  }

  private let members: [Member]

  package init(_ members: [Member]) { self.members = members }

  /// Without a header, so that scripts can count and choose lines.
  package var plain: String {
    let cells = members.map { ["\($0.number)", printable($0.name), printable($0.out), printable($0.text)] }
    let widths = (0..<4).map { column in cells.map { terminalWidth($0[column]) }.max() ?? 0 }
    return cells.map { row in
      let padding = zip(row, widths).map { String(repeating: " ", count: $1 - terminalWidth($0)) }
      return "\(padding[0])\(row[0])  \(row[1])\(padding[1])  \(row[2])\(padding[2])  \(row[3])\n"
    }.joined()
  }
}
