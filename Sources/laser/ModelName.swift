internal import ArgumentParser
internal import Checkpoints

/// A model as people name it: a folder, a GGUF file, or the id of a model in the Hugging Face cache.
struct ModelName: ExpressibleByArgument {
  /// As it was given.
  let text: String

  init?(argument: String) { text = argument }

  /// - Throws: `CheckpointError` if there is no such model.
  var path: String { get throws { try modelPath(text) } }

  static var defaultCompletionKind: CompletionKind { .file() }
}

/// What a model is called on the Hugging Face Hub.
struct HubNameOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What the original is called on the Hugging Face Hub, for the model card and GGUF metadata.",
      discussion: "A model that was opened by its id in the Hub's cache has that name.", valueName: "owner/name"))
  var name: String?

  func validate() throws {
    guard let name else { return }
    guard let hub = HubName(name), hub.revision == nil else {
      throw ValidationError("'--name' takes a name on the Hugging Face Hub, owner/name; \"\(name)\" is none.")
    }
  }
}
