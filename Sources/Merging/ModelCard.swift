internal import Checkpoints
internal import FoundationEssentials
internal import Models
internal import Wording

/// README.md of a merged model: what it is made of, in the form that Hugging Face reads.
enum ModelCard {
  /// - Parameter folders: Of the parents, whose license is the mixture's where all have the same.
  static func text(
    _ configuration: MergeConfiguration, _ family: MergedMixture.Family, folders: [String], program: String
  ) -> String {
    var names: [String] = []
    for parent in [configuration.base] + configuration.contributors.map(\.parent) {
      if let name = parent.hubName?.id, !names.contains(name) { names.append(name) }
    }
    var lines = ["---"]
    // The name of a folder is none of the Hub's.
    if !names.isEmpty {
      lines += ["base_model:"] + names.map { "- \(yamlScalar($0))" } + ["base_model_relation: merge"]
    }
    if let license = license(ofFolders: folders) { lines.append("license: \(yamlScalar(license))") }
    lines += ["library_name: transformers", "tags:", "- moe", "- merge", "- frankenmoe", "- laser", "---", ""]
    lines += [
      "A mixture of \(configuration.experts.count) experts (\(family.title)), "
        + "\(configuration.expertsPerToken) active for each token, merged by \(program). Attention, norms, embeddings and tokenizer are those of "
        + "\(shownName(configuration.base)); each expert is the feed-forward layers of one model. Nothing was "
        + "trained after merging.", "", "| expert | from | positive prompts | negative prompts |",
      "| ---: | --- | ---: | ---: |",
    ]
    for (number, expert) in configuration.contributors.enumerated() {
      lines.append(
        "| \(number < configuration.experts.count ? "\(number)" : "shared") | \(shownName(expert.parent)) | \(expert.positivePrompts.count) "
          + "| \(expert.negativePrompts.count) |")
    }
    let text = configuration.text
    lines += [
      "", routers(configuration), "", "## Configuration", "",
      fenced(text.hasSuffix("\n") ? String(text.dropLast()) : text, language: "yaml"), "",
    ]
    return lines.joined(separator: "\n")
  }

  /// The license that every folder's README names; nil where one names none, several or another.
  private static func license(ofFolders folders: [String]) -> String? {
    let licenses = folders.map { folder in
      let text = FileManager.default.contents(atPath: folder + "/README.md")
        .flatMap { String(validating: $0, as: UTF8.self) }
      return text.flatMap { FrontMatter.split($0).front }?.texts("license") ?? []
    }
    return Set(licenses).count == 1 && licenses[0].count == 1 ? licenses[0][0] : nil
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

  /// The name of a model on the Hub as it stands; of a path, its last part: where things lie on a machine is nobody's
  /// business.
  private static func shownName(_ parent: MergeConfiguration.Parent) -> String {
    parent.hubName?.id ?? parent.name.split(separator: "/").last.map(String.init) ?? parent.name
  }
}
