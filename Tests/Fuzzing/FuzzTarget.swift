package import Checkpoints
import Tokenization
import Wording

/// A parser to be fed with damaged files: where to begin, and what to do with a file.
package struct FuzzTarget: Sendable {
  package let name: String
  /// Valid files, and small ones that reach far.
  package let seeds: [[UInt8]]
  /// Pieces that files of this kind are made of, to be put anywhere.
  package let pieces: [[UInt8]]

  /// Files described as JSON, so that values are changed and the file stays one of its kind; nil where bytes do.
  package var structure: Structure?

  package struct Structure: Sendable {
    package let seeds: [JSON]
    /// The file that is described, as far as it can be written.
    package let encode: @Sendable (JSON) -> [UInt8]
  }

  /// Parses the file, which holds these bytes, and uses what came out as the program would.
  package let run: @Sendable (_ bytes: [UInt8], _ path: String) -> Ending

  /// How a file may end; any other end is a bug.
  package enum Ending {
    /// With what it was made of, in a few words: files of other make are worth keeping.
    case taken(String)
    case refused(String)
  }

  /// Every parser of the project. A parser that is not here is not fuzzed.
  package static let all = [
    json, safetensors, gguf, tokenizer, sentencePiece, vocabulary, pattern, folder, ggufModel, runFolder, planFile,
    recipe,
    merge,
  ]

  package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// Whether one of the parsers' own errors ended the body, and how.
func ending(_ body: () throws -> String) -> FuzzTarget.Ending {
  do {
    return .taken(try body())
  } catch let error as InputError {
    precondition(
      !error.description.contains(where: \.isNewline) && error.description.count < 1000, "an error of many lines")
    return .refused(error.description)
  } catch let error as CheckpointError {
    return .refused(error.problem)
  } catch let error as TokenizerError {
    return .refused(error.problem)
  } catch let error as PatternError {
    return .refused(error.problem)
  } catch let error as JSON.SyntaxError {
    return .refused(error.problem)
  } catch {
    fatalError("an error that no parser may throw: \(error)")
  }
}
