internal import ArgumentParser
internal import Models
internal import Reports
internal import Tokenization

struct SynthesizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "synthesize",
    abstract: "Write a Mixtral of random weights, for trying a machine and measuring.",
    discussion: """
      It says nothing sensible. Its matrices are noise with \(Synthesis.rank) strong directions each, so that spectra and \
      rank rules find something, and its shape is a real one's: how long a model of that size takes, in how much memory, \
      shows before it is downloaded. The same options give the same bytes.

      Example: laser synthesize --out synthetic --layers 4 --tokenizer runs/posy/model
      """)

  @Option(help: ArgumentHelp("The folder to write.", valueName: "folder"), completion: .directory)
  var out: String

  @Option(help: ArgumentHelp("Layers; one of the default shape has 2.9 GB.", valueName: "count"))
  var layers: Int

  @Option(help: ArgumentHelp("Width of the states.", valueName: "size"))
  var hidden = 4096

  @Option(help: ArgumentHelp("Hidden channels of an expert.", valueName: "size"))
  var intermediate = 14336

  @Option(help: ArgumentHelp("Experts of a layer.", valueName: "count"))
  var experts = 8

  @Option(help: ArgumentHelp("Experts that work on each token.", valueName: "count"))
  var expertsPerToken = 2

  @Option(help: ArgumentHelp("Heads of queries.", valueName: "count"))
  var heads = 32

  @Option(help: ArgumentHelp("Heads of keys and values.", valueName: "count"))
  var kvHeads = 8

  @Option(help: ArgumentHelp("Tokens of the vocabulary.", valueName: "count"))
  var vocabulary = 32000

  @Option(
    help: ArgumentHelp("A model whose tokenizer to copy, without which no text can be measured.", valueName: "model"))
  var tokenizer: ModelName?

  @Option(help: ArgumentHelp("Of the random numbers.", valueName: "number"))
  var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp("Bytes of weights that a file may hold, as in 500M; 5G by default.", valueName: "size"))
  var shardSize: ByteSize?

  @Flag(help: "Replace an existing checkpoint of the kind in the folder.")
  var force = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    let limits = [
      ("layers", layers, 1000), ("hidden", hidden, 1 << 16), ("intermediate", intermediate, 1 << 18),
      ("experts", experts, 1024), ("experts-per-token", expertsPerToken, experts), ("heads", heads, 1024),
      ("kv-heads", kvHeads, heads), ("vocabulary", vocabulary, 1 << 20),
    ]
    for (name, value, limit) in limits where !(1...max(1, limit)).contains(value) {
      throw ValidationError("'--\(name)' must be from 1 to \(limit).")
    }
    guard hidden % heads == 0, hidden / heads % 2 == 0 else {
      throw ValidationError("'--hidden' must be an even number of channels for each of the \(heads) heads.")
    }
    guard heads % kvHeads == 0 else { throw ValidationError("'--heads' must be a multiple of '--kv-heads'.") }
  }

  func run() throws {
    let console = common.begin()
    let tokenizer = try tokenizer?.path
    if let tokenizer {
      let count = try Tokenizer(path: tokenizer).vocabularySize
      guard count <= vocabulary else {
        throw ValidationError("'--vocabulary' must be at least \(count), the tokens of \(tokenizer).")
      }
    }
    var mixture = SyntheticMixture(layerCount: layers)
    mixture.hiddenSize = hidden
    mixture.intermediateSize = intermediate
    mixture.expertCount = experts
    mixture.expertsPerToken = expertsPerToken
    mixture.headCount = heads
    mixture.keyValueHeadCount = kvHeads
    mixture.vocabularySize = vocabulary
    let clock = ContinuousClock()
    let start = clock.now
    let outcome = try Synthesis(mixture, seed: seed).write(
      to: out, shardSize: shardSize?.bytes ?? 5 << 30, replacesExisting: force, tokenizer: tokenizer
    ) { console.progress("Writing", $0) }
    let seconds = (clock.now - start) / .seconds(1)
    let files = outcome.files.count == 1 ? "one file" : "\(outcome.files.count) files"
    print("  \(Numbers.bytes(outcome.byteCount)) in \(files), \(Numbers.duration(seconds)). Model: \(out)")
  }
}
