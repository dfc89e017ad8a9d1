internal import ArgumentParser
internal import Checkpoints
internal import Models
internal import Reports
internal import Tensors
internal import Tokenization

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write a model as a GGUF file, or one in GGUF as a Hugging Face folder.",
    discussion: """
      In GGUF, matrices are stored as they are, in one type, or in one of llama.cpp's mixtures of types, q4_k_m and the \
      like, with the very bytes that llama-quantize makes; norms and routers in F32. '--imatrix' lets the columns count that \
      a text needs most. The vocabulary comes from tokenizer.json. A model that llama.cpp would compute otherwise is refused.

      A model in GGUF becomes config.json, safetensors and tokenizer.json, but where '--out' ends in .gguf. Quantised matrices \
      become f16, which holds them more exactly than bf16, unless '--type' says otherwise; other matrices stay what they \
      are.

      Example: laser convert model --out model.gguf --type q8_0
      Example: laser convert model --out model.gguf --type q4_k_m --imatrix calibration.txt
      Example: laser convert model.gguf --out model
      """)

  @Argument(
    help: ArgumentHelp(
      "A checkpoint: its folder, a GGUF file, or its id in the Hugging Face cache.", valueName: "model"))
  var model: ModelName

  @Option(help: ArgumentHelp("The GGUF file, or the folder, to write.", valueName: "path"), completion: .file())
  var out: String

  @Option(
    help: ArgumentHelp(
      "The format to write: gguf or safetensors; the other than the model's by default.", valueName: "format"))
  var to: ConvertedFormat?

  @OptionGroup var gguf: GGUFOptions

  @Option(
    help: ArgumentHelp(
      "Bytes of weights that a safetensors file may hold, as in 500M; 5G by default.", valueName: "size"))
  var shardSize: ByteSize?

  @OptionGroup var hub: HubNameOption

  @Flag(help: "Replace an existing file, or an existing checkpoint in the folder.")
  var force = false

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  /// Models in GGUF become folders, unless a file is asked for, and folders become files.
  private func format(of model: Model) -> ConvertedFormat {
    to ?? (model.checkpoint.gguf != nil && !out.hasSuffix(".gguf") ? .safetensors : .gguf)
  }

  private func refuseUnfit(_ format: ConvertedFormat) throws {
    switch format {
    case .gguf:
      if shardSize != nil { throw ValidationError("'--shard-size' goes with '--to safetensors'.") }
    case .safetensors:
      if gguf.card != nil { throw ValidationError("'--card' is for a GGUF file.") }
      if let type = gguf.type, type.plainType == nil {
        throw ValidationError("'--type \(type.rawValue)' is for GGUF; a folder holds f32, f16 or bf16.")
      }
    }
  }

  func run() throws {
    let console = common.begin()
    let loaded = try Model(path: model.path)
    console.note([loaded])
    let format = format(of: loaded)
    try refuseUnfit(format)
    let bytes =
      switch format {
      case .gguf:
        try GGUFOutput(loaded, name: hub.name, gguf, to: out, force: force).write(loaded, console)
      case .safetensors: try writeFolder(loaded, console)
      }
    let result = Result(model: model.text, out: out, parameters: loaded.checkpoint.parameterCount, bytes: bytes)
    print(json ? try jsonText(result) : result.line, terminator: "")
  }

  /// Returns the bytes of the weights.
  private func writeFolder(_ loaded: Model, _ console: Console) throws -> Int {
    let export = try FolderExport(loaded, type: gguf.type?.plainType)
    let configuration = loaded.checkpoint.configuration
    let tokenizer = try loaded.checkpoint.gguf.map { parts in
      try TokenizerFiles(parts, maximumLength: configuration.size("max_position_embeddings", default: 2048))
    }
    return try export.write(
      to: out, files: tokenizer?.files ?? [], shardSize: shardSize?.bytes ?? 5 << 30, replacesExisting: force
    ) { console.progress("Writing", $0) }.byteCount
  }

  private struct Result: Encodable {
    let model: String
    let out: String
    let parameters: Int
    let bytes: Int

    var line: String { "  \(Numbers.grouped(parameters)) parameters, \(Numbers.bytes(bytes)). Model: \(out)\n" }
  }
}

/// What convert writes.
enum ConvertedFormat: String, CaseIterable, ExpressibleByArgument {
  case gguf, safetensors
}

/// What apply writes, if not the original's format.
enum WrittenFormat: String, CaseIterable, ExpressibleByArgument {
  case gguf
}
