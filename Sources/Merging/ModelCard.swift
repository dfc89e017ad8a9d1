internal import Models

/// README.md of a merged model: what it is made of, in the form that Hugging Face reads.
enum ModelCard {
  static func text(
    _ configuration: MergeConfiguration, _ family: MergedMixture.Family, program: String
  ) -> String {
    var names: [String] = []
    for parent in [configuration.base] + configuration.contributors.map(\.parent) {
      let name = shownName(parent.name)
      if !names.contains(name) { names.append(name) }
    }
    var lines = ["---", "base_model:"]
    lines += names.map { "- \(quoted($0))" }
    lines += ["library_name: transformers", "tags:", "- moe", "- merge", "- frankenmoe", "- laser", "---", ""]
    lines += [
      "A mixture of \(configuration.experts.count) experts (\(family.title)), "
        + "\(configuration.expertsPerToken) active for each token, merged by \(program). Attention, norms, embeddings and tokenizer are those of "
        + "\(shownName(configuration.base.name)); each expert is the feed-forward layers of one model. Nothing was "
        + "trained after merging.", "", "| expert | from | positive prompts | negative prompts |",
      "| ---: | --- | ---: | ---: |",
    ]
    for (number, expert) in configuration.contributors.enumerated() {
      lines.append(
        "| \(number < configuration.experts.count ? "\(number)" : "shared") | \(shownName(expert.parent.name)) | \(expert.positivePrompts.count) "
          + "| \(expert.negativePrompts.count) |")
    }
    lines += ["", routers(configuration), "", "## Configuration", ""]
    let fence = fence(for: configuration.text)
    lines += [
      fence + "yaml", configuration.text.hasSuffix("\n") ? String(configuration.text.dropLast()) : configuration.text,
    ]
    return (lines + [fence, ""]).joined(separator: "\n")
  }

  private static func routers(_ configuration: MergeConfiguration) -> String {
    switch configuration.gateMode {
    case .hidden:
      "The routers (gate_mode hidden) are the base's hidden states of the prompts below: those that enter each layer, of "
        + "the last token, averaged over the prompts."
    case .cheapEmbed: "The routers (gate_mode cheap_embed) are the mean embeddings of the prompts below."
    case .random, .uniformRandom:
      "The routers (gate_mode \(configuration.gateMode.rawValue), seed \(configuration.seed)) are random: the model has "
        + "to be trained before it is of use."
    }
  }

  /// The name of a model on a hub as it stands; of a path, its last part: where things lie on a machine is nobody's
  /// business.
  private static func shownName(_ name: String) -> String {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    if parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) { return name }
    return parts.last { !$0.isEmpty }.map(String.init) ?? name
  }

  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "-"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
    let hasLetter = text.contains(where: \.isLetter) && text.first != "-"
    return isPlain && hasLetter
      ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
  }

  /// Longer than any run of backticks in the text.
  private static func fence(for text: String) -> String {
    var (longest, current) = (0, 0)
    for character in text {
      current = character == "`" ? current + 1 : 0
      longest = max(longest, current)
    }
    return String(repeating: "`", count: max(3, longest + 1))
  }
}
