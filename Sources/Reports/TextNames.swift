package import Search

/// What texts are called in reports: by their files, with as much of the folders as it takes to tell all of them apart,
/// and by their part where one file is both searched on and held out: halves of texts, a fifth of questions and the rest.
package struct TextNames {
  package let search: [String]
  package let heldOut: [String]

  package init(_ outcome: SearchOutcome) {
    let settings = outcome.settings
    var paths: [String] = []
    for text in outcome.inputs.text + outcome.inputs.heldOut where !paths.contains(text.path) {
      paths.append(text.path)
    }
    let names = Dictionary(zip(paths, distinctNames(paths))) { first, _ in first }
    /// Texts come before questions.
    func named(_ texts: [SearchInputs.Text], texts count: Int, _ half: String, _ share: String) -> [String] {
      texts.enumerated().map { index, text in
        let part =
          index < count ? (settings.heldOut.isEmpty ? half : "") : settings.heldOutQuestions.isEmpty ? share : ""
        return (names[text.path] ?? text.path) + part
      }
    }
    let textCount = settings.text.count
    search = named(outcome.inputs.text, texts: textCount, ", first half", ", a fifth")
    heldOut = named(
      outcome.inputs.heldOut, texts: settings.heldOut.isEmpty ? textCount : settings.heldOut.count, ", second half",
      ", four fifths")
  }
}

/// File names, with as much of their folders as it takes to tell them apart.
func distinctNames(_ paths: [String]) -> [String] {
  let parts = paths.map { $0.split(separator: "/").map(String.init) }
  return parts.indices.map { index in
    let own = parts[index]
    guard !own.isEmpty else { return paths[index] }
    for length in 1...own.count {
      let name = own.suffix(length)
      let isShared = parts.indices.contains { $0 != index && Array(parts[$0].suffix(length)) == Array(name) }
      if !isShared || length == own.count { return name.joined(separator: "/") }
    }
    return paths[index]
  }
}
