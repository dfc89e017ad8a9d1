internal import Checkpoints
internal import Inference
internal import Models
internal import Processes
internal import RankReduction
internal import Reports
internal import Search
internal import Wording

/// What a recipe makes of a finished search beside its run folder: found writable before the search begins.
struct RecipeOutputs {
  private let recipe: Recipe
  private let search: Search
  private let copy: CheckpointCopy?
  private let adapter: AdapterFolder?

  /// - Throws: A description of why something cannot be written where the recipe says.
  init(_ recipe: Recipe, of search: Search, recipePath: String, replacesExisting: Bool) throws {
    self.recipe = recipe
    self.search = search
    let protected = [recipePath, recipe.out] + recipe.settings.files
    let products = recipe.writtenProducts
    copy = try products.checkpoint.map {
      try CheckpointCopy(
        of: search.model.checkpoint, to: $0, as: products.isFactored ? .factored : .dense,
        replacesExisting: replacesExisting, protecting: protected, recognizing: ModelCard.isOwn)
    }
    adapter = try products.adapter.map {
      try AdapterFolder(
        $0, replacesExisting: replacesExisting, models: [search.model.checkpoint.path], protecting: protected,
        recognizing: ModelCard.isOwn)
    }
  }

  /// What is written, by name, and where.
  static func paths(_ recipe: Recipe) -> [(what: String, path: String)] {
    let products = recipe.writtenProducts
    return [("Model  ", products.checkpoint), ("Adapter", products.adapter)].compactMap { what, path in
      path.map { (what, $0) }
    }
  }

  /// What processes that do not write anything do meanwhile: their part of the matrices of the checkpoint.
  static func help(_ recipe: Recipe, of search: Search) throws {
    let products = recipe.writtenProducts
    guard products.checkpoint != nil else { return }
    let reductions = try search.processes.fromFirst { [Reduction]() }
    try search.reducer.dividing(among: search.processes)
      .forEachReduced(reductions, factored: products.isFactored) { _, _ in }
  }

  /// Whether all that a recipe asks for was written when its search had ended, and lies in the run folder, where
  /// nothing else would have put it. What an extended search has not replaced is older than its journal.
  static func areWritten(_ recipe: Recipe) throws -> Bool {
    guard try RecipeState(of: recipe) == .finished,
      let journal = LineFile.extent(Journal.path(in: recipe.out))
    else { return false }
    return recipe.writtenPaths.allSatisfy { path in
      path.hasPrefix(recipe.out + "/") && LineFile.extent(path).map { $0.written >= journal.written } ?? false
    }
  }

  /// Nothing where the search kept nothing: a copy of the model is worth its disk to nobody.
  func write(_ outcome: SearchOutcome, _ console: Console) throws {
    var reductions = outcome.kept.map(outcome.reduction)
    if copy != nil { reductions = try search.processes.fromFirst { reductions } }
    guard !reductions.isEmpty else { return }
    func card(_ form: ModelCard.Form) throws -> ModelCard {
      try ModelCard(
        modelFolder: search.modelFolder, name: recipe.products.name, fingerprint: search.inputs.model.fingerprint,
        planFile: recipe.out + "/plan.yaml", baseFolder: search.baseFolder, form: form)
    }
    if let copy {
      let isFactored = recipe.products.isFactored
      try writeLasered(
        copy, search.reducer.dividing(among: search.processes), reductions, card(isFactored ? .factored : .checkpoint),
        factored: isFactored,
        scratchFolder: recipe.out, console)
    }
    if let adapter {
      let isForBase = recipe.products.isAdapterForBase
      _ = try AdapterOutput(reductions, of: search.reducer, for: isForBase ? .base : .model)
        .write(adapter, card: card(isForBase ? .baseAdapter : .adapter), scratchFolder: recipe.out, console)
    }
  }
}
