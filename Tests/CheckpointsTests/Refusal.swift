import Checkpoints
import Testing

/// Expects an error of a code whose description is one line with some words in it: the file, the tensor, the reason.
func expectRefusal(
  _ code: CheckpointError.Code, naming words: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  let error = #expect(throws: CheckpointError.self, sourceLocation: sourceLocation, performing: body)
  guard let error else { return }
  #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
  for word in words { #expect(error.description.contains(word), "\(error)", sourceLocation: sourceLocation) }
  #expect(!error.description.contains { $0.isNewline }, "\(error)", sourceLocation: sourceLocation)
}
