import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// Shells that are here, each with the script that completes in it, in a folder with two texts, a plan, questions and a
/// folder.
struct CompletionTests {
  /// bash is everywhere; the others are tried where they are.
  static let shells = ["bash", "zsh", "fish"].filter { shell in
    shell == "bash" || ["/bin/", "/usr/bin/"].contains { FileManager.default.isExecutableFile(atPath: $0 + shell) }
  }
  private static let files: Set = ["a.txt", "b.txt", "plan.yaml", "recipe.yml", "questions.jsonl"]
  private static let folders: Set = ["models"]

  /// What each argument of every command says of its values, asked for by its first letters and without any.
  @Test(arguments: shells) func everyValueCompletes(_ shell: String) async throws {
    let help = try await laserSucceeds(["--experimental-dump-help"]).json
    var expected: [String: Set<String>] = [:]
    var seen: Set<String> = []
    for command in help["command"]?["subcommands"]?.array ?? [] {
      let name = try #require(command["commandName"]?.string)
      for argument in command["arguments"]?.array ?? [] where name != "help" {
        let option = argument["preferredName"]?["name"]?.string
        let kind = try Kind(argument["completionKind"])
        guard argument["kind"]?.string != "flag", let values = kind.values else { continue }
        // The same option of several commands once.
        guard option == nil || seen.insert("\(option ?? "") \(kind)").inserted else { continue }
        expected["laser \(name) " + (option.map { "--\($0) " } ?? "")] = values
        if case .words(let words) = kind, let option, let word = words.first {
          expected["laser \(name) --\(option) \(word.prefix(2))"] = Set(words.filter { $0.hasPrefix(word.prefix(2)) })
        }
      }
    }
    #expect(expected.count > 40)
    let offered = try await offers(shell, Array(expected.keys))
    for (line, values) in expected {
      // Where an argument without a name may come, names may come too.
      let found = offered[line]?.filter { line.contains("--") || !$0.hasPrefix("-") }
      #expect(found == values, "\(line)")
    }
  }

  @Test(arguments: shells) func linesAreCompleted(_ shell: String) async throws {
    let all = Self.files.union(Self.folders)
    let lines: [String: Set<String>] = [
      "laser per": ["perplexity"],
      "laser search models --strat": ["--strategy"],
      "laser search models --strategy s": ["sweep"],
      // Lists: what is not in them yet.
      "laser search models --roles w1,w": ["w1,w2", "w1,w3"],
      "laser search models --ranks 0.5,e": ["0.5,energy:0.9"],
      "laser search models --ranks en": ["energy:0.9"],
      "laser spectrum models --layers a": ["all"],
      // Options with several values, and what follows them.
      "laser perplexity models --text a.txt b": ["b.txt"],
      "laser perplexity models --text a.txt b.txt q": ["questions.jsonl"],
      "laser search models --text a.txt b.txt --held-out b.txt a": ["a.txt"],
      "laser perplexity models --text a.txt b.txt --convention s": ["strided"],
      "laser perplexity --text a.txt b.txt --precision b": ["bf16"],
      "laser perplexity models --threads 2 b": [],
      "laser compare models models --questions questions.jsonl ": all,
    ]
    let offered = try await offers(shell, Array(lines.keys))
    for (line, values) in lines {
      let found = offered[line]?.filter { line.contains(" --") && !line.hasSuffix(" ") || !$0.hasPrefix("-") }
      #expect(found == values, "\(line)")
    }
  }

  @Test(arguments: shells) func signsOfEquality(_ shell: String) async throws {
    let lines: [String: Set<String>] = [
      "laser perplexity models --convention=s": ["strided"], "laser perplexity models --text=a": ["a.txt"],
      "laser search models --roles=k_": ["k_proj"], "laser search models --roles=w1,w": ["w1,w2", "w1,w3"],
    ]
    let offered = try await offers(shell, Array(lines.keys))
    for (line, values) in lines {
      // fish completes the whole word.
      let found = offered[line].map { Set($0.map { $0.replacing(#/^--[a-z-]+=/#, with: "") }) }
      #expect(found == values, "\(line)")
    }
  }

  /// What an argument's values are.
  private enum Kind {
    case words([String])
    case lists
    case files([String])
    case folders
    case unknown

    init(_ json: JSON?) throws {
      if let list = json?["list"] {
        self = .words(list["values"]?.array?.compactMap(\.string) ?? [])
      } else if let file = json?["file"] {
        self = .files(file["extensions"]?.array?.compactMap(\.string) ?? [])
      } else if json?["directory"] != nil {
        self = .folders
      } else {
        self = json?["custom"] != nil ? .lists : .unknown
      }
    }

    var values: Set<String>? {
      switch self {
      case .words(let words): Set(words)
      case .files(let extensions):
        CompletionTests.folders.union(
          CompletionTests.files.filter { file in extensions.isEmpty || extensions.contains { file.hasSuffix(".\($0)") }
          })
      case .folders: CompletionTests.folders
      case .lists, .unknown: nil
      }
    }
  }

  /// What a shell offers at the end of each line.
  private func offers(_ shell: String, _ lines: [String]) async throws -> [String: Set<String>] {
    let folder = try TemporaryFolder()
    for file in Self.files { try Data().write(to: folder[file]) }
    for name in Self.folders {
      try FileManager.default.createDirectory(at: folder[name], withIntermediateDirectories: false)
    }
    let scripts = try TemporaryFolder()
    let script = try await laserSucceeds(["--generate-completion-script", shell]).output
    try Data(script.utf8).write(to: scripts["_laser"])
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: scripts["lines"])
    let driver = URL(filePath: #filePath).appending(path: "../../Fixtures/completion/offers.\(shell)").standardized.path
    let options = ["bash": "--norc", "zsh": "-f", "fish": "--no-config"][shell] ?? ""
    let run = try await laser(
      [],
      shell: """
        cd '\(folder.path("."))' && PATH="$(dirname "$0"):$PATH" HOME='\(scripts.path("."))' \
        \(shell) \(options) '\(driver)' '\(scripts.path("_laser"))' <'\(scripts.path("lines"))'; exit
        """)
    #expect(run.status == 0, "\(run.error)")
    let answers = run.output.split(separator: "\n", omittingEmptySubsequences: false)
    try #require(answers.count == lines.count + 1, "\(run.output)\n\(run.error)")
    return Dictionary(
      uniqueKeysWithValues: zip(lines, answers).map { ($0, Set($1.split(separator: "\t").map(String.init))) })
  }
}
