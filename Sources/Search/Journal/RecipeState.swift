internal import Checkpoints
internal import FoundationEssentials

/// How far what a recipe asks for has come, by its run folder alone.
package enum RecipeState: String, Sendable, CaseIterable {
  case notBegun = "not_begun"
  /// A process is at work in the run folder.
  case running
  case unfinished
  /// The search has ended, and not all that the recipe makes of it is written.
  case searched
  case finished

  /// A search with other settings in the run folder is one that is not finished: running the recipe goes on from there.
  /// Models and texts are not opened.
  ///
  /// - Throws: `InputError` for a journal that cannot be read.
  package init(of recipe: Recipe) throws {
    let records = try Journal.read(in: recipe.out)
    let past = PastRecords(records)
    try past.header?.refuseOtherVersion(in: recipe.out)
    if past.isFinished, past.header?.settings.isSameSearch(as: recipe.settings) == true {
      let isKept = records.contains { record in
        if case .trial(let trial) = record { trial.members.contains(where: \.kept) } else { false }
      }
      let paths = [recipe.out + "/report.json"] + (isKept ? recipe.writtenPaths : [])
      self = paths.allSatisfy { FileManager.default.fileExists(atPath: $0) } ? .finished : .searched
    } else if FolderLock.holder(in: recipe.out) != nil {
      self = .running
    } else {
      self = past.header == nil ? .notBegun : .unfinished
    }
  }

  package var isSearched: Bool { self == .searched || self == .finished }

  /// As people read it: "not begun".
  package var text: String { self == .searched ? "searched, not written" : rawValue.replacing("_", with: " ") }
}

extension Recipe {
  /// What is made of the search beside its run folder. A control makes no model that anyone would want.
  package var writtenProducts: Products { settings.isControl ? Products() : products }

  /// Where that goes.
  package var writtenPaths: [String] { [writtenProducts.checkpoint, writtenProducts.adapter].compactMap(\.self) }
}

extension SearchSettings {
  /// Whether a search with these settings is one with those, as far as settings tell that are no paths. Screening is
  /// recorded as it was done, which takes a processor and memory for it.
  fileprivate func isSameSearch(as other: SearchSettings) -> Bool {
    Setting.all.allSatisfy { $0.isPath || $0.name == "screening" || $0.write(self) == $0.write(other) }
  }
}
