internal import Checkpoints
internal import FoundationEssentials
internal import Glibc
internal import Models
package import RankReduction
internal import Wording

/// README.md of a lasered checkpoint: what was done to it, as a section between two marks, and what Hugging Face reads
/// in the front matter. Whatever else a README says stays as it is.
package struct ModelCard {
  private let model: String
  private let fingerprint: String
  let plan: Plan
  private let report: JSONReport?
  private let form: Form
  /// What the original's README says of its license, key by key.
  private let license: [(key: String, value: String)]
  /// The model that an adapter is for: the original, or its base.
  private let adapted: String
  /// The name on the Hugging Face Hub of the model that this one was made of; nil where it is not known: the name of a
  /// folder says nothing of what lies under it on the Hub.
  package var origin: String? { HubName(adapted)?.id }

  /// - Parameters:
  ///   - modelFolder: Of the original.
  ///   - name: Of the original on the Hugging Face Hub, if its folder does not say.
  ///   - fingerprint: Of the original, which need not be the model that the plan was found on.
  ///   - planFile: Scores come from report.json beside it, if that is of the same plan.
  ///   - baseFolder: Of the base, if not where the plan says.
  package init(
    modelFolder: String, name: String? = nil, fingerprint: String, planFile: String, baseFolder: String? = nil,
    form: Form = .checkpoint
  ) throws {
    let plan = try Plan(file: planFile)
    let folder = parentFolder(of: planFile)
    let report = FileManager.default.contents(atPath: folder + "/report.json")
      .flatMap { try? JSONDecoder().decode(JSONReport.self, from: $0) }
    self.init(
      model: name ?? Self.name(ofFolder: modelFolder), fingerprint: fingerprint, plan: plan, report: report,
      base: (baseFolder ?? plan.base?.path).map(Self.name), form: form, license: Self.license(ofFolder: modelFolder))
  }

  /// What the README of a folder says of its license.
  static func license(ofFolder folder: String) -> [(key: String, value: String)] {
    let bytes = FileManager.default.contents(atPath: folder + "/README.md")
    guard let text = bytes.flatMap({ String(validating: $0, as: UTF8.self) }), let front = FrontMatter.split(text).front
    else { return [] }
    return ["license", "license_name", "license_link"].compactMap { key in
      let values = front.texts(key)
      return values.count == 1 ? (key, values[0]) : nil
    }
  }

  package init(
    model: String, fingerprint: String, plan: Plan, report: JSONReport?, base: String? = nil, form: Form = .checkpoint,
    license: [(key: String, value: String)] = []
  ) {
    self.model = model
    self.fingerprint = fingerprint
    self.plan = plan
    self.form = form
    self.license = license
    adapted = form == .baseAdapter ? base ?? model : model
    self.report = report.flatMap { fingerprint == plan.model && $0.describes(plan) ? $0 : nil }
  }

  /// The name that others know a model by: of a folder in Hugging Face's cache, its repository.
  static func name(ofFolder path: String) -> String {
    var parts = path.split(separator: "/").filter { $0 != "." }
    if parts.isEmpty || parts.last == "..", let resolved = realPath(path) {
      parts = resolved.split(separator: "/").map { $0[...] }
      return name(ofFolder: parts.joined(separator: "/"))
    }
    if let cached = HubName(cachedAt: path) { return cached.id }
    return parts.last.map(String.init) ?? "model"
  }

  // MARK: Results on benchmarks

  /// Files of `.eval_results`, by their path in the model's folder: the accuracy on held-out questions.
  ///
  /// - Throws: `InputError` for a file of questions that the report has no answers to.
  package func evalResults(_ benchmarks: [Benchmark]) throws -> [String: String] {
    var files: [String: String] = [:]
    for benchmark in benchmarks {
      guard let accuracy = report?.accuracy(onQuestions: benchmark.questions) else {
        throw InputError(
          "--benchmark \(benchmark.questions): the plan's report has no answers to questions of a file of this name")
      }
      files[benchmark.path] = benchmark.entry(
        accuracy: accuracy, note: "acc, in %, as lm-evaluation-harness computes it, of questions held out from a search"
      )
    }
    return files
  }

  // MARK: Text

  /// The README of the copy, given that of the original.
  package func readme(existing: String?) -> String {
    let relation = ("base_model_relation", form.relation)
    let page = CardPage(
      title: "\(Table.escaped(model)), lasered",
      values: (origin == nil ? [] : [relation]) + (form.library.map { [("library_name", $0)] } ?? []) + license,
      lists: (origin.map { [("base_model", $0)] } ?? []) + form.tags.map { ("tags", $0) }, section: section)
    // The original's results are not those of the lasered model.
    return page.text(
      existing: existing, replacing: "model-index", with: report?.modelIndex(name: "\(model), lasered") ?? [])
  }

  /// The README of a copy of a folder; nil where the folder's own is not text, and is better left alone.
  package func readme(ofFolder folder: String) -> String? {
    guard let bytes = FileManager.default.contents(atPath: folder + "/README.md") else { return readme(existing: nil) }
    return String(validating: bytes, as: UTF8.self).map { readme(existing: $0) }
  }

  /// Whether a file is a README that `laser` wrote and nobody added to, nothing but front matter, a title and our
  /// section; or results on a benchmark that it wrote.
  package static func isOwn(_ path: String) -> Bool {
    let parts = path.split(separator: "/")
    if parts.count > 1, parts[parts.count - 2] == ".eval_results" {
      return FileManager.default.contents(atPath: path).map { $0.starts(with: Benchmark.mark.utf8) } ?? false
    }
    guard path.split(separator: "/").last == "README.md", let bytes = FileManager.default.contents(atPath: path),
      let (before, after) = CardPage.around(FrontMatter.split(String(decoding: bytes, as: UTF8.self)).body)
    else { return false }
    let lines = (before + after).split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }
    return lines.count <= 1 && lines.allSatisfy { $0.hasPrefix("# ") && $0.hasSuffix(", lasered") }
  }

  /// The section itself, Markdown.
  var section: String {
    let name = Table.escaped(model)
    let base = plan.base.map { Table.escaped(Self.name(ofFolder: $0.path)) }
    let count = plan.reductions.count
    let their = count == 1 ? "its" : "their"
    let what =
      count == 0
      ? "no matrix of it is reduced."
      : hasFilters
        ? "\(matrices(count)) \(count == 1 ? "is" : "are") filtered. \(filterText(difference: base))"
        : "\(matrices(count)) \(count == 1 ? "has" : "have") "
          + (base.map { "\(their) difference to \($0) reduced in rank." } ?? "\(their) rank reduced.")
    let laser = "layer-selective rank reduction ([LASER](https://arxiv.org/abs/2312.13558))"
    var parts = [
      "## Lasered",
      hasFilters
        ? "This is \(name) after filtering singular directions with `laser`, as \(laser) does by their rank alone: \(what)"
        : "This is \(name) after \(laser) with `laser`: \(what)",
    ]
    if let report {
      parts += [
        "Perplexity before and after; the change is that of the mean negative log-likelihood, paired by window, ± one standard "
          + "error (\(report.conventionText)). The search saw the search text only.",
        report.perplexities.markdown,
      ]
    }
    if count > 0 {
      parts += [
        "Remaining rank of each matrix, of its full rank" + (hasScales ? ", or its factor:" : ":"), ranks,
      ]
    }
    if form == .factored { parts.append(Self.factorsText) }
    if form.isAdapter { parts.append(Self.adapterText(for: adapted)) }
    if case .gguf(let content) = form { parts.append(content.text) }
    var identity = "The original has the fingerprint `\(fingerprint)`"
    if let base, let fingerprint = plan.base?.fingerprint { identity += ", \(base) `\(fingerprint)`" }
    parts += [
      "To reproduce it to the byte from the original and the plan\(fingerprint == plan.model ? "" : " (found on another model)"):",
      "```\nlaser apply MODEL --plan plan.yaml --out \(form.placeholder)\(form.option)\n```",
      identity + ".",
    ]
    return parts.joined(separator: "\n\n")
  }

  /// One item a layer: "layer 0, expert 0: w1 4/128, w2 13/128; expert 1: w3 32/128"
  private var ranks: String {
    let items = Set(plan.reductions.map(\.layer)).sorted().map { layer in
      let entries = plan.reductions.filter { $0.layer == layer }
      let groups = Set(entries.map { $0.expert ?? -1 }).sorted().map { expert in
        let ranks = entries.filter { ($0.expert ?? -1) == expert }.sorted { $0.role.rawValue < $1.role.rawValue }
          .map { entry in
            let left = entry.scale.map { "× \(Numbers.fixed(Double($0), 3))" } ?? "\(entry.rank)/\(entry.fullRank)"
            return "\(entry.role.rawValue) \(left)"
          }
        return (expert < 0 ? "" : "expert \(expert): ") + ranks.joined(separator: ", ")
      }
      return "- layer \(layer), " + groups.joined(separator: "; ")
    }
    return items.joined(separator: "\n")
  }
}
