internal import Wording

/// What is wrong with a file of a checkpoint: where, and what to do about it. Its description is one line.
package struct CheckpointError: Error, Sendable, CustomStringConvertible {
  package enum Code: Sendable {
    case notFound, unreadable, notACheckpoint, malformed, truncated, overlapping, unknownType, wrongShape
    case missingTensor, notFinite, unsupported, exists, unwritable
  }

  package var code: Code
  package var file: String
  package var tensor: String?
  package var offset: Int?
  package var problem: String

  package init(_ code: Code, file: String, tensor: String? = nil, offset: Int? = nil, _ problem: String) {
    self.code = code
    self.file = file
    self.tensor = tensor
    self.offset = offset
    self.problem = problem
  }

  package var description: String {
    var place = file
    if let tensor { place += ", tensor \(oneLine(tensor))" }
    if let offset { place += ", byte \(offset)" }
    return "\(place): \(oneLine(problem))"
  }

  /// Names come from files: a long one must not fill the terminal.
  private func oneLine(_ text: String) -> String {
    let line = printable(text)
    return line.count > 600 ? line.prefix(600) + "…" : line
  }
}
