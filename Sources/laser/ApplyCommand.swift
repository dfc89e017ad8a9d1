internal import ArgumentParser
internal import Checkpoints
internal import FoundationEssentials
internal import Models
internal import RankReduction
internal import Reports
internal import Tensors
internal import Wording

struct ApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Write the lasered checkpoint that a plan describes.",
    discussion: """
      Copies the checkpoint, with the plan's matrices replaced by their reductions in the same type and place. Every other \
      byte of every file is the original's, but for README.md, which gains a section that says what was done. '--to gguf' \
      writes a GGUF file instead, whatever the original is. '--factored' stores a reduced matrix as two thin ones where that \
      is smaller: a folder that laser reads, and other programs after it was expanded; of a plan relative to a base, experts \
      share the base's matrix. '--lora' writes an adapter for the \
      model instead, of the directions that were dropped: worth it where nearly all are kept. '--lora --for-base' writes \
      one for the base of a fine-tune, of those that were kept.

      Example: laser apply model --plan runs/first/plan.yaml --out model-lasered
      Example: laser apply model --plan runs/first/plan.yaml --out model-factored --factored
      Example: laser apply model --plan runs/first/plan.yaml --out lasered.gguf --to gguf --type q8_0
      """)

  @Argument(
    help: ArgumentHelp(
      "The original checkpoint: its folder, a GGUF file, or its id in the Hugging Face cache.", valueName: "model"))
  var model: ModelName

  @Option(help: ArgumentHelp("A plan that a search wrote.", valueName: "file"), completion: .file(extensions: ["yaml"]))
  var plan: String

  @Option(help: ArgumentHelp("The folder to write; of GGUF, the file.", valueName: "path"), completion: .file())
  var out: String

  @Option(help: ArgumentHelp("The format to write, if not the original's: gguf.", valueName: "format"))
  var to: WrittenFormat?

  @OptionGroup var gguf: GGUFOptions

  @Flag(help: "Store a reduced matrix as two factors where these are smaller.")
  var factored = false

  @Flag(help: "Write what the reductions change as an adapter for PEFT, where that is smaller.")
  var lora = false

  @Flag(help: "With --lora: an adapter that makes the base what the model becomes.")
  var forBase = false

  @Option(
    help: ArgumentHelp(
      "For a model in GGUF: what the reduced matrices are stored as, one type as bf16 or q6_k, if not as they were.",
      valueName: "type"))
  var reducedType: ElementType?

  @Option(help: ArgumentHelp("The base checkpoint, if not where the plan says.", valueName: "model"))
  var base: ModelName?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Datasets of the Hub with a leaderboard that searched questions are from: writes their scores to .eval_results.",
      discussion: "Each is \(Benchmark.syntax).", valueName: "entry"))
  var benchmark: [Benchmark] = []

  @OptionGroup var hub: HubNameOption

  @Flag(help: "Replace an existing checkpoint in the folder.")
  var force = false

  @Flag(help: "Also apply to another checkpoint than the plan was found on.")
  var anyModel = false

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    for (name, isOn) in [("--factored", factored), ("--lora", lora)] where isOn && (to != nil || reducedType != nil) {
      throw ValidationError("'\(name)' writes a folder of safetensors: leave out '--to' and '--reduced-type'.")
    }
    if factored && lora { throw ValidationError("'--factored' writes a checkpoint and '--lora' an adapter: give one.") }
    if !benchmark.isEmpty, to != nil || lora {
      throw ValidationError("'--benchmark' goes with a checkpoint's folder.")
    }
    if forBase && !lora { throw ValidationError("'--for-base' goes with '--lora'.") }
    guard to == nil else {
      if reducedType != nil {
        throw ValidationError("'--reduced-type' does not go with '--to': all tensors get '--type'.")
      }
      return
    }
    if let name = gguf.given { throw ValidationError("'\(name)' goes with '--to gguf'.") }
  }

  func run() throws {
    let console = common.begin()
    let plan = try Plan(file: plan)
    let modelFolder = try model.path
    let checkpoint = try Checkpoint(path: modelFolder)
    let loaded = try Model(checkpoint)
    console.note([loaded])
    try refuseOther(checkpoint, expected: plan.model, what: "model")
    let basePath = try base?.path ?? plan.base.map { resolved($0.path) }
    if reducedType != nil, checkpoint.gguf == nil {
      throw InputError("\(model.text): '--reduced-type' is for models in GGUF; for others there is '--to gguf --type'")
    }
    if factored { try FactoredOutput.refuseUnfit(checkpoint) }
    func card(_ form: ModelCard.Form) throws -> ModelCard {
      try ModelCard(
        modelFolder: modelFolder, name: hub.name, fingerprint: checkpoint.fingerprint.description, planFile: self.plan,
        baseFolder: basePath, form: form)
    }
    let destination = try destination(of: loaded, base: basePath) { try card(.gguf($0)) }
    let baseModel = try basePath.map { try Model(path: $0) }
    if let baseModel, let expected = plan.base?.fingerprint {
      try refuseOther(baseModel.checkpoint, expected: expected, what: "base")
    }
    let reducer = try Reducer(loaded, base: baseModel)
    let reductions = try plan.reductions(for: loaded)
    var result = Result(
      model: model.text, plan: self.plan, out: out, reduced: plan.reductions.count, matrices: loaded.sites.count)
    switch destination {
    case .gguf(let file):
      try file.write(reducer.applying(reductions), console)
    case .copy(let copy):
      if factored { result.factors = try FactoredOutput(reductions, of: reducer) }
      try writeLasered(
        copy, reducer, reductions, card(cardForm), results: card(cardForm).evalResults(benchmark), factored: factored,
        as: reducedType,
        expecting: plan.reductions.map(\.matrix),
        scratchFolder: nearestFolder(above: out), console)
    case .adapter(let adapter):
      result.adapter = try AdapterOutput(reductions, of: reducer, for: forBase ? .base : .model)
        .write(adapter, card: card(cardForm), scratchFolder: nearestFolder(above: out), console)
    }
    print(json ? try jsonText(result) : result.line, terminator: "")
  }

  /// Where the result goes, found writable before any work.
  private enum Destination {
    case copy(CheckpointCopy)
    case gguf(GGUFOutput)
    case adapter(AdapterFolder)
  }

  private func destination(
    of model: Model, base: String?, card: @escaping (GGUFContent) throws -> ModelCard
  ) throws -> Destination {
    let paths = [plan] + (base.map { [$0] } ?? [])
    if to != nil {
      return .gguf(
        try GGUFOutput(
          model, name: hub.name, gguf, to: out, force: force, lasered: card, protecting: paths))
    }
    if lora {
      return .adapter(
        try AdapterFolder(
          out, replacesExisting: force, models: [model.checkpoint.path], protecting: paths,
          recognizing: ModelCard.isOwn))
    }
    return .copy(
      try CheckpointCopy(
        of: model.checkpoint, to: out, as: factored ? .factored : .dense, replacesExisting: force, protecting: paths,
        recognizing: ModelCard.isOwn))
  }

  private var cardForm: ModelCard.Form {
    if lora { return forBase ? .baseAdapter : .adapter }
    return factored ? .factored : .checkpoint
  }

  private struct Result: Encodable {
    let model: String
    let plan: String
    let out: String
    let reduced: Int
    let matrices: Int
    var factors: FactoredOutput?
    var adapter: AdapterOutput.Result?

    var line: String {
      let what = adapter.map { "Adapter (\($0.words))" } ?? "Checkpoint"
      return "  \(reduced) of \(matrices) matrices reduced. \(what): \(out)\n" + (factors?.line ?? "")
    }
  }

  private func refuseOther(_ checkpoint: Checkpoint, expected: String, what: String) throws {
    guard !anyModel, checkpoint.fingerprint.description != expected else { return }
    throw InputError(
      "\(checkpoint.path): the plan was found with another \(what) (fingerprint \(expected), this is "
        + "\(checkpoint.fingerprint)); give that one, or --any-model to apply it here all the same")
  }

  /// A plan's paths are relative to its folder.
  private func resolved(_ path: String) -> String {
    guard !path.hasPrefix("/"), let slash = plan.lastIndex(of: "/") else { return path }
    return plan[...slash] + path
  }
}

/// Makes a plan's reductions and writes the copy that has them, with a README.md that says so. Between the two they lie
/// on disk in the scratch folder.
func writeLasered(
  _ copy: CheckpointCopy, _ reducer: Reducer, _ reductions: [Reduction], _ card: ModelCard,
  results: [String: String] = [:], factored: Bool = false, as type: ElementType? = nil,
  expecting fingerprints: [String?] = [], scratchFolder: String,
  _ console: Console
) throws {
  let matrices = try reducer.reduced(reductions, type: type, factored: factored, scratchFolder: scratchFolder) {
    console.progress("Reducing", Double($0) / Double(reductions.count))
  }
  if !factored, type == nil {
    let others = zip(matrices, fingerprints).count { made, expected in
      expected.map { $0 != made.matrix.fingerprint } ?? false
    }
    if others > 0 {
      console.note(
        "note: \(others) of \(matrices.count) matrices have other bytes here than where the plan was found (another "
          + "processor, BLAS library or base); scores may differ in their last digits")
    }
  }
  var replacements: [TensorReference: StoredMatrix] = [:]
  try reducer.base?.checkpoint.refuseChange()
  for (site, matrix) in matrices { replacements[reducer.model.reference(of: site)] = matrix }
  var texts = results
  if let readme = card.readme(ofFolder: reducer.model.checkpoint.path) { texts["README.md"] = readme }
  try copy.write(
    replacing: replacements, separating: factored ? reducer.model.separateExperts : [:], texts: texts
  ) { console.progress("Writing", Double($0) / Double(max($1, 1))) }
  for name in copy.untouchedWeightFiles {
    console.note("note: \(name) was copied as it is; the weights in it are not lasered")
  }
  for name in copy.weightFilesLeftOut {
    console.note("note: \(name) was left out: it holds weights that are not lasered")
  }
}

extension Benchmark: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}
