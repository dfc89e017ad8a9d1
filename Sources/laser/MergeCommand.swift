internal import ArgumentParser
internal import Merging
internal import Reports

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Make a mixture of experts out of dense models.",
    discussion: """
      The configuration is mergekit-moe's: base_model, gate_mode (hidden, cheap_embed, random, uniform_random), dtype, \
      experts_per_token, and for each of the experts source_model, positive_prompts, negative_prompts, noise_scale and \
      residual_scale. Paths are relative to the file. The parents are models of one shape: Llama and Mistral models, which \
      become a Mixtral, Qwen3 models, which become a Qwen3-MoE, or Qwen2 models, which become a Qwen2-MoE and need one \
      of shared_experts too.

      Example: laser merge runs/posy/merge.yaml --out merged
      """)

  @Argument(
    help: ArgumentHelp("What to merge, YAML.", valueName: "configuration"),
    completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: ArgumentHelp("The folder to write.", valueName: "folder"), completion: .directory)
  var out: String

  @Option(
    help: ArgumentHelp("Bytes of weights that a file may hold, as in 500M; 5G by default.", valueName: "size"))
  var shardSize: ByteSize?

  @Option(help: ArgumentHelp("Of random routers and of noise; 0 by default.", valueName: "number"))
  var seed: UInt64?

  @Flag(help: "Also take experts from models with another vocabulary than the base's.")
  var anyVocabulary = false

  @Flag(help: "Replace an existing merged checkpoint in the folder.")
  var force = false

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    let configuration = try MergeConfiguration(file: file, seed: seed)
    let merge = try Merge(configuration, anyVocabulary: anyVocabulary)
    console.note([merge.base])
    let clock = ContinuousClock()
    let start = clock.now
    let outcome = try merge.write(
      to: out, shardSize: shardSize?.bytes ?? 5 << 30, replacesExisting: force, protecting: [file],
      program: Version.program
    ) { console.progress($0, $1) }
    let result = Result(
      out: out, configuration, outcome, seconds: (clock.now - start) / .seconds(1))
    if json { print(try jsonText(result), terminator: "") } else { show(result.text) }
  }

  private struct Result: Encodable {
    let out: String
    let experts: [String]
    let expertsPerToken: Int
    let gateMode: String
    let parameters: Int
    let bytes: Int
    let files: [String]
    /// The condition number of each layer's router; null where two of its rows say the same.
    let gateConditions: [Double?]
    let seconds: Double

    enum CodingKeys: String, CodingKey {
      case out, experts, parameters, bytes, files, seconds
      case expertsPerToken = "experts_per_token"
      case gateMode = "gate_mode"
      case gateConditions = "gate_conditions"
    }

    init(out: String, _ configuration: MergeConfiguration, _ outcome: Merge.Outcome, seconds: Double) {
      self.out = out
      experts = configuration.experts.map(\.parent.name)
      expertsPerToken = configuration.expertsPerToken
      gateMode = configuration.gateMode.rawValue
      parameters = outcome.parameterCount
      bytes = outcome.byteCount
      files = outcome.files
      gateConditions = outcome.gateConditions.map { $0 < 1e6 ? $0 : nil }
      self.seconds = seconds
    }

    var text: String {
      """
        \(experts.count) experts, \(expertsPerToken) active: \(Numbers.grouped(parameters)) parameters, \
      \(Numbers.bytes(bytes)) in \(files.count == 1 ? "one file" : "\(files.count) files"), \
      \(Numbers.duration(seconds)).
        \(gateText)
        Model   \(out)

      """
    }

    private var gateText: String {
      let conditions = gateConditions.map { $0 ?? .infinity }
      let (least, most) = (conditions.min() ?? 1, conditions.max() ?? 1)
      let text = "Condition of the routers, by layer: \(Numbers.fixed(least, 1)) to \(Numbers.fixed(most, 1))."
      let bad = conditions.indices.filter { conditions[$0] > Merge.worryingCondition }
      guard !bad.isEmpty else { return text }
      let layers = bad.count == conditions.count ? "All layers" : "Layer\(bad.count > 1 ? "s" : "") \(list(bad))"
      return text + "\n  \(layers) can hardly tell the experts apart: prompts that differ more would help."
    }

    private func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }
  }
}
