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

  /// Whoever made a link where something is to be written may have meant it to be written somewhere else.
  static func link(_ path: String) -> CheckpointError {
    CheckpointError(
      .exists, file: path, "a link is there, and outputs follow none; remove it, or give what it leads to")
  }

  package var description: String {
    var place = file
    if let tensor { place += ", tensor \(oneLine(tensor))" }
    if let offset { place += ", byte \(offset)" }
    return "\(place): \(oneLine(problem))"
  }
}
