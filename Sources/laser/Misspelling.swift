internal import Checkpoints
internal import Wording

/// What was probably meant by arguments that were refused: a command or an option that is a slip or two away.
///
/// ArgumentParser suggests options, but says what is missing first, and takes commands that it does not know for stray
/// arguments.
struct Misspelling {
  private let commands: [String: [String]]

  /// - Parameter help: What the parser itself says of the program's commands, as JSON.
  init?(help: String) {
    guard let json = try? JSON(parsing: Array(help.utf8)) else { return nil }
    var commands: [String: [String]] = [:]
    for command in json["command"]?["subcommands"]?.array ?? [] {
      guard let name = command["commandName"]?.string else { continue }
      let names = command["arguments"]?.array?.flatMap { $0["names"]?.array ?? [] } ?? []
      commands[name] = names.filter { $0["kind"]?.string == "long" }.compactMap { $0["name"]?.string }
    }
    self.commands = commands
  }

  /// What to say instead of the parser's message; nil where nothing is misspelled.
  func message(_ arguments: [String]) -> String? {
    let words = Array(arguments.drop { $0 == "help" })
    guard let first = words.first, !first.hasPrefix("-") else { return nil }
    guard let options = commands[first] else {
      return unknownWord(first, what: "a command of laser", known: commands.keys.sorted())
    }
    for (index, word) in words.enumerated().dropFirst() {
      if word == "--" { break }
      if word.hasPrefix("--") {
        let name = String(word.dropFirst(2).prefix { $0 != "=" })
        guard !options.contains(name), name != "help", name != "version" else { continue }
        let meant = closest(to: name, among: options).map { "; did you mean --\($0)?" }
        return "--\(name) is no option of 'laser \(first)'" + (meant ?? "")
      }
      if word.hasPrefix("-"), word.dropFirst().first?.isNumber == true, words[index - 1].hasPrefix("--") {
        return "\(words[index - 1]) \(word): numbers count from 0, none is negative"
      }
    }
    return nil
  }
}
