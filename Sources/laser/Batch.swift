internal import Checkpoints
internal import FoundationEssentials
internal import Reports
internal import Search
internal import Wording

/// The searches of one or more recipes, one after another.
struct Batch {
  let files: [File]

  struct File {
    let path: String
    let contents: RecipeFile
    let members: [Member]
  }

  /// One search, with its number in the batch, from 1.
  struct Member {
    let number: Int
    let recipe: Recipe
    /// The recipe's file.
    let path: String

    var name: String { recipe.name.isEmpty ? path : recipe.name }
  }

  /// - Parameter overrides: Values by key that take the place of the recipes'.
  init(_ paths: [String], overrides: [String: [String]]) throws {
    var (files, count): ([File], Int) = ([], 0)
    for path in paths {
      let contents = try RecipeFile(file: path, overrides: overrides)
      let members = contents.members.enumerated().map { Member(number: count + $0 + 1, recipe: $1, path: path) }
      count += members.count
      files.append(File(path: path, contents: contents, members: members))
    }
    self.files = files
  }

  var members: [Member] { files.flatMap(\.members) }

  var list: BatchList {
    BatchList(
      members.map { member in
        .init(
          number: member.number, name: member.name, out: member.recipe.out,
          state: Result { try RecipeState(of: member.recipe) })
      })
  }

  /// Has an outcome for each member, in order, and the summary of each recipe of several members written.
  func summary(_ outcome: (Member) throws -> BatchSummary.Outcome) throws -> BatchSummary {
    for file in files where file.members.count > 1 { try SummaryFiles.refuseUnsafe(file.contents) }
    var all: [BatchSummary.Member] = []
    for file in files {
      let members = try file.members.map {
        BatchSummary.Member(name: $0.name, folder: $0.recipe.out, outcome: try outcome($0))
      }
      if members.count > 1 { try SummaryFiles.write(BatchSummary(members), in: file.contents.out) }
      all += members
    }
    return BatchSummary(all)
  }

  /// From the run folders as they are.
  func summary() throws -> BatchSummary {
    try summary { member in
      do {
        let state = try RecipeState(of: member.recipe)
        return state.isSearched ? .finished(try SearchOutcome(folder: member.recipe.out)) : .unfinished(state)
      } catch { return .failed(error) }
    }
  }
}

/// Where a batch's summary goes.
private enum SummaryFiles {
  private static let names = ["summary.md", "summary.json"]

  /// Nothing of its members' inputs may lie there, nor another's file.
  static func refuseUnsafe(_ file: RecipeFile) throws {
    let inputs = file.members.flatMap(\.settings.files)
    for path in [file.out] + names.map({ file.out + "/" + $0 }) { try refuseInputs(at: path, inputs) }
    let manager = FileManager.default
    let json = manager.contents(atPath: file.out + "/summary.json").map { String(decoding: $0, as: UTF8.self) }
    // One of a batch all of whose members failed has no runs.
    let isOwn =
      file.members.contains { manager.fileExists(atPath: Journal.path(in: $0.out)) }
      || json?.contains(#""searches""#) == true
    guard !isOwn, let found = names.first(where: { manager.fileExists(atPath: file.out + "/" + $0) }) else { return }
    throw InputError(
      "\(file.out): \(found) is there without a run of this recipe, so it may not be laser's; give another \"out\"")
  }

  static func write(_ summary: BatchSummary, in folder: String) throws {
    try AtomicFile.makeFolder(folder)
    for (name, text) in zip(names, [summary.markdown, try jsonText(summary.json)]) {
      try AtomicFile.write(text, to: folder + "/" + name)
    }
  }
}
