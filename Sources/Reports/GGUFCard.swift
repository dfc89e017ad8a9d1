internal import Checkpoints
internal import Wording

/// What a GGUF file is, for a model card.
package struct GGUFContent: Sendable, Equatable {
  /// The file's name.
  let file: String
  /// What its matrices are stored as, "q4_k_m"; nil for what they were.
  let type: String?
  /// The text that says which columns of matrices count most; nil where all count alike.
  let importance: String?

  package init(file: String, type: String?, importance: String?) {
    (self.file, self.type, self.importance) = (file, type, importance)
  }

  var text: String {
    let stored = type.map { "in \($0)" } ?? "as they were"
    let weighed = importance.map { ", weighed by what \(Table.escaped($0)) needs" } ?? ""
    return "`\(file)` holds the model for llama.cpp and its kin, matrices stored \(stored)\(weighed)."
  }
}

/// README.md beside a GGUF file that holds a model as it is. That of a lasered one is a `ModelCard`.
package struct GGUFCard {
  private let model: String
  private let license: [(key: String, value: String)]
  private let content: GGUFContent

  /// - Parameters:
  ///   - folder: Of the model, or its file.
  ///   - name: Of the model on the Hugging Face Hub, if its folder does not say.
  package init(ofModel folder: String, name: String?, _ content: GGUFContent) {
    model = name ?? ModelCard.name(ofFolder: folder)
    license = ModelCard.license(ofFolder: folder)
    self.content = content
  }

  /// - Parameter existing: What the card says by now; all that is not ours stays.
  package func readme(existing: String?) -> String {
    let origin = HubName(model)?.id
    return CardPage(
      title: "\(Table.escaped(model)), GGUF",
      values: (origin == nil ? [] : [("base_model_relation", ModelCard.Form.gguf(content).relation)]) + license,
      lists: (origin.map { [("base_model", $0)] } ?? []) + [("tags", "gguf")],
      section: "## GGUF\n\n\(content.text)\n\nMade of \(Table.escaped(model)) with `laser convert`."
    ).text(existing: existing)
  }
}
