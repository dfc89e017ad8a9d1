internal import ArgumentParser
internal import Checkpoints
internal import Models
internal import RankReduction
internal import Reports
internal import Search

struct SpectrumCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spectrum",
    abstract: "Show the singular values of a model's matrices, and what rank they suggest.",
    discussion: """
      Per matrix: the largest singular value, the edge of noise (Marchenko and Pastur) and the rank above it, the effective \
      rank (exp of the entropy of the singular values' shares; Roy and Vetterli, 2007), and the ranks that keep 50, 90 and \
      99 % of the energy (the sum of squares). The bars are the singular values from the first to the last. With --base, all of this for the differences to the base.

      Example: laser spectrum model --layers 0,5 --roles w1,w2
      Example: laser spectrum model --base base --svg spectrum.svg
      """)

  @Argument(
    help: ArgumentHelp(
      "A checkpoint: its folder, a GGUF file, or its id in the Hugging Face cache.", valueName: "model"))
  var model: ModelName

  @Option(
    help: ArgumentHelp("Decompose the differences to this checkpoint instead of the weights.", valueName: "model"))
  var base: ModelName?

  @OptionGroup var sites: SiteOptions

  @Option(
    help: ArgumentHelp("Also draw them into a file, whose name ends with .svg.", valueName: "file"), completion: .file()
  )
  var svg: String?

  @Flag(help: "Replace an existing drawing.")
  var force = false

  @Flag(help: "Print one JSON object, with all singular values.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    let (modelFolder, baseFolder) = (try model.path, try base?.path)
    let drawing = try svg.map {
      try OutputFile(
        $0, ending: ".svg", of: "a drawing", replacesExisting: force,
        inputs: [modelFolder] + (baseFolder.map { [$0] } ?? []))
    }
    let reducer = try Reducer(Model(path: modelFolder), base: baseFolder.map { try Model(path: $0) })
    console.note([reducer.model])
    // As a model is read: from the first layer up.
    let sites = try sites.settings.selection.sites(of: reducer.model).enumerated().sorted {
      ($0.element.layer, $0.offset) < ($1.element.layer, $1.offset)
    }.map(\.element)
    var spectra: [SiteSpectrum] = []
    for decomposition in reducer.decompositions(of: sites) {
      let decomposition = try decomposition.get()
      spectra.append(SiteSpectrum(decomposition.site, kind: reducer.kind, decomposition.spectrum))
      console.progress("Decomposing", Double(spectra.count) / Double(sites.count), detail: "\(decomposition.site)")
    }
    let tables = SpectrumTables(model: model.text, base: base?.text, spectra)
    for model in [reducer.model, reducer.base].compactMap(\.self) { try model.checkpoint.refuseChange() }
    try drawing?.write(tables.drawing)
    print(json ? try jsonText(tables) : tables.plain, terminator: "")
  }
}
