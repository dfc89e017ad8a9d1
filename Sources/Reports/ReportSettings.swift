internal import Search

/// What was asked for, of which files, and the commands that do it again.
struct ReportSettings {
  private let outcome: SearchOutcome

  init(_ outcome: SearchOutcome) { self.outcome = outcome }

  var markup: Markup {
    let settings = outcome.settings
    var entries: [Markup] = []
    func add(_ name: String, _ value: Markup...) {
      entries += [element("dt", [:], .text(name)), element("dd", [:], value)]
    }
    func print(_ fingerprint: String) -> Markup { element("code", [:], .text("  \(fingerprint)")) }
    add("model", .text(settings.model.path), print(settings.model.fingerprint))
    if let base = settings.base { add("base", .text(base.path), print(base.fingerprint)) }
    add("tokenizer", print(settings.tokenizer))
    for (name, texts) in [("search text", settings.text), ("held-out text", settings.heldOut)] {
      for (index, text) in texts.enumerated() {
        add(
          index == 0 ? name : "", .text("\(text.path), \(Numbers.grouped(text.windows)) windows"),
          print(text.fingerprint))
      }
    }
    for (name, value) in SettingsList.entries(settings) { add(name, .text(value)) }
    add(
      "trials", .text("\(SummaryText.trials(outcome)) in \(Numbers.duration(outcome.seconds))"))
    add("program", .text(settings.program))
    return section(
      "Do it again",
      note: "The first command makes the same search"
        + (settings.isControl ? ". " : ", the second writes the lasered checkpoint from its plan. ")
        + "Fingerprints name the exact files that were read.",
      [
        element("pre", [:], .text(ReproductionCommand.text(settings))), element("dl", [:], entries),
      ])
  }
}

/// The settings that are no files, named and written for people.
enum SettingsList {
  static func entries(_ settings: SearchRecord.Settings) -> [(name: String, value: String)] {
    var entries: [(name: String, value: String)] = []
    func add(_ name: String, _ value: String?) {
      if let value { entries.append((name, value)) }
    }
    add("convention", SummaryText.conventionText(settings))
    add("experts per token", settings.expertsPerToken.map(String.init))
    add("layers", settings.layers)
    add("experts", settings.experts)
    add("roles", settings.roles.joined(separator: ", "))
    add("ranks", settings.ranks.joined(separator: ", "))
    add("strategy", settings.strategy.rawValue)
    let tolerance = settings.tolerance.map { ", within \($0) nats per token" } ?? ""
    add("objective", settings.objective + tolerance)
    add("confidence", "\(settings.confidence)")
    add("false discovery rate", "\(settings.falseDiscoveryRate)")
    add("trials run", settings.isExhaustive ? "to their end" : "until they are hopeless")
    add("first windows run in", settings.screening)
    add("budget", settings.budget)
    if settings.isControl { add("control", "random directions are dropped instead of the weakest") }
    return entries
  }
}

/// The commands that make a search and its checkpoint again.
enum ReproductionCommand {
  static func text(_ settings: SearchRecord.Settings) -> String {
    var parts = ["laser search \(quoted(settings.model.path))"]
    if let base = settings.base { parts.append("--base \(quoted(base.path))") }
    parts.append("--text " + settings.text.map { quoted($0.path) }.joined(separator: " "))
    // Halves of the same files are what a search without held-out texts uses.
    if settings.heldOut.map(\.path) != settings.text.map(\.path) {
      parts.append("--held-out " + settings.heldOut.map { quoted($0.path) }.joined(separator: " "))
    }
    parts.append(
      "--convention \(settings.convention) --context \(settings.context)"
        + (settings.stride.map { " --stride \($0)" } ?? ""))
    parts.append(
      "--layers \(quoted(settings.layers)) --experts \(quoted(settings.experts)) "
        + "--roles \(quoted(settings.roles.joined(separator: ",")))")
    if settings.strategy == .noiseEdge {
      parts.append("--strategy \(settings.strategy.rawValue)")
    } else {
      parts.append("--ranks \(quoted(settings.ranks.joined(separator: ","))) --strategy \(settings.strategy.rawValue)")
    }
    if let tolerance = settings.tolerance {
      parts.append("--objective \(quoted(settings.objective)) --tolerance \(tolerance)")
    }
    if let count = settings.expertsPerToken { parts.append("--experts-per-token \(count)") }
    if let budget = settings.budget { parts.append("--budget \(quoted(budget))") }
    parts.append(
      "--confidence \(settings.confidence) --fdr \(settings.falseDiscoveryRate)"
        + (settings.isExhaustive ? " --exhaustive" : "")
        + (settings.screening.map { " --screening \($0)" } ?? "") + (settings.isControl ? " --control" : ""))
    parts.append("--out again")
    guard !settings.isControl else { return parts.joined(separator: " \\\n  ") }
    let apply = ["laser apply \(quoted(settings.model.path))", "--plan again/plan.yaml --out again/checkpoint"]
    return [parts, apply].map { $0.joined(separator: " \\\n  ") }.joined(separator: "\n")
  }

  /// As a POSIX shell reads one word.
  static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty
      && word.unicodeScalars.allSatisfy {
        ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
          || "/._-+=:,@%".unicodeScalars.contains($0)
      }
    if isPlain { return word.hasPrefix("-") ? "./" + word : word }
    return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
  }
}
