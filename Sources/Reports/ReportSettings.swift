internal import Search

/// What was asked for, of which files, and the commands that reproduce it.
struct ReportSettings {
  private let outcome: SearchOutcome

  init(_ outcome: SearchOutcome) { self.outcome = outcome }

  var markup: Markup {
    let (settings, inputs) = (outcome.settings, outcome.inputs)
    var entries: [Markup] = []
    func add(_ name: String, _ value: Markup...) {
      entries += [element("dt", [:], .text(name)), element("dd", [:], value)]
    }
    func print(_ fingerprint: String) -> Markup { element("code", [:], .text("  \(fingerprint)")) }
    add("model", .text(inputs.model.path + RunText.size(inputs.model.bytes)), print(inputs.model.fingerprint))
    if let base = inputs.base { add("base", .text(base.path + RunText.size(base.bytes)), print(base.fingerprint)) }
    add("tokenizer", print(inputs.tokenizer))
    for (name, texts) in [
      ("search text", inputs.text), ("held-out text", inputs.heldOut), ("guard text", inputs.guarded ?? []),
    ] {
      for (index, text) in texts.enumerated() {
        add(
          index == 0 ? name : "",
          .text("\(text.path)\(RunText.size(text.bytes)), \(Numbers.grouped(text.windows)) windows"),
          print(text.fingerprint))
      }
    }
    for (name, value) in SettingsList.entries(settings) { add(name, .text(value)) }
    let duration = Numbers.duration(outcome.seconds)
    if let filters = FilterText(outcome) {
      add("effort", .text("\(filters.effort); \(duration) in all"))
    } else {
      add("trials", .text("\(SummaryText.trials(outcome)) in \(duration)"))
    }
    if let started = RunText.started(outcome) { add("started", .text(started)) }
    if let machine = outcome.header.machine { add("machine", .text(machine)) }
    add("program", .text(outcome.header.program))
    return section(
      "Reproduce",
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
  static func entries(_ settings: SearchSettings) -> [(name: String, value: String)] {
    settings.written.compactMap { setting, values in
      setting.isPath
        ? nil
        : (setting.label, setting.shape == .flag ? "yes" : values.joined(separator: ",").replacing(",", with: ", "))
    }
  }
}

/// The commands that reproduce a search and its checkpoint.
enum ReproductionCommand {
  private static let lineLength = 90

  static func text(_ settings: SearchSettings) -> String {
    // Files have lines of their own, other settings share them.
    var lines: [String] = []
    var isOpen = false
    for (setting, values) in settings.written {
      let words = values.map(quoted).joined(separator: " ")
      let part =
        setting.isPositional
        ? "laser search \(words)" : "--\(setting.name)" + (setting.shape == .flag ? "" : " \(words)")
      if isOpen, !setting.isPath, let line = lines.last, line.count + part.count < lineLength {
        lines[lines.count - 1] = line + " " + part
      } else {
        lines.append(part)
      }
      isOpen = !setting.isPath
    }
    lines.append("--out reproduced")
    guard !settings.isControl else { return lines.joined(separator: " \\\n  ") }
    let apply = ["laser apply \(quoted(settings.model))", "--plan reproduced/plan.yaml --out reproduced/checkpoint"]
    return [lines, apply].map { $0.joined(separator: " \\\n  ") }.joined(separator: "\n")
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
