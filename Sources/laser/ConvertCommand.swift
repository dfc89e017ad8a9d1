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
      In GGUF, matrices are stored in one type or as they are, norms and routers in F32. The vocabulary comes from \
      tokenizer.json. A model that llama.cpp would compute otherwise is refused.

      A model in GGUF becomes config.json, safetensors and tokenizer.json, but where '--out' ends in .gguf. Quantised matrices \
      become f16, which holds them more exactly than bf16, unless '--type' says otherwise; other matrices stay what they \
      are.

      Example: laser convert model --out model.gguf --type q8_0
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

  @Option(
    help: ArgumentHelp(
      "What matrices are stored as: f32, f16, bf16 or, in GGUF, q8_0; as they are by default.", valueName: "type"))
  var type: GGUFTypeName?

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
      if type == .q80 { throw ValidationError("'--type q8_0' is for GGUF; a folder holds f32, f16 or bf16.") }
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
        try GGUFOutput(loaded, name: hub.name, type: type, to: out, force: force, isLasered: false).write(
          loaded, console)
      case .safetensors: try writeFolder(loaded, console)
      }
    let result = Result(model: model.text, out: out, parameters: loaded.checkpoint.parameterCount, bytes: bytes)
    print(json ? try jsonText(result) : result.line, terminator: "")
  }

  /// Returns the bytes of the weights.
  private func writeFolder(_ loaded: Model, _ console: Console) throws -> Int {
    let export = try FolderExport(loaded, type: type?.elementType)
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

enum GGUFTypeName: String, CaseIterable, ExpressibleByArgument {
  case f32, f16, bf16
  case q80 = "q8_0"

  /// In any case: llama.cpp's programs write Q8_0.
  init?(argument: String) { self.init(rawValue: argument.lowercased()) }

  var elementType: ElementType {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .q80: .q80
    }
  }
}

/// How a GGUF file is written.
struct GGUFOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What matrices are stored as in GGUF: f32, f16, bf16 or q8_0; as they are by default.", valueName: "type"))
  var type: GGUFTypeName?
}

/// A GGUF file to be written, whose making has been found possible.
struct GGUFOutput {
  private let file: OutputFile
  private let type: ElementType?
  private let vocabulary: [GGUFFile.Member]
  private let notes: [String]
  private let origin: [GGUFFile.Member]

  /// - Parameters:
  ///   - name: Of the model on the Hugging Face Hub, if its folder does not say.
  ///   - isLasered: Whether matrices of the model are to be replaced.
  init(
    _ model: Model, name: String?, type: GGUFTypeName?, to path: String, force: Bool, isLasered: Bool,
    protecting paths: [String] = []
  ) throws {
    self.type = type?.elementType
    let checkpoint = model.checkpoint
    _ = try GGUFExport(model, type: self.type)
    file = try GGUFExport.file(path, of: model, replacesExisting: force, protecting: paths)
    let made =
      checkpoint.gguf == nil
      ? try GGUFVocabulary(
        folder: checkpoint.path, configuration: checkpoint.configuration, rows: model.configuration.vocabularySize)
      : nil
    vocabulary = made?.metadata ?? []
    notes = made?.notes ?? []
    origin = checkpoint.gguf == nil ? GGUFOrigin(model, name: name, isLasered: isLasered).members : []
  }

  /// Writes the model, some of whose matrices may have been replaced; returns the bytes of the file.
  @discardableResult
  func write(_ model: Model, _ console: Console) throws -> Int {
    var size = 0
    try GGUFExport(model, type: type).write(to: file, tokenizer: vocabulary, origin: origin) { done, total in
      size = total
      console.progress("Writing", Double(done) / Double(max(total, 1)))
    }
    for note in notes { console.note("note: \(note)") }
    return size
  }
}
