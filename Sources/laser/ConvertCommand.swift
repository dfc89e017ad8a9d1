internal import ArgumentParser
internal import Checkpoints
internal import Inference
internal import Reports
internal import Tensors
internal import Tokenization

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write a model as a GGUF file, for llama.cpp.",
    discussion: """
      Matrices are stored in one type or as they are; norms and routers in F32. The vocabulary comes from tokenizer.json. \
      A model that llama.cpp would compute otherwise is refused.

      Example: laser convert model --out model.gguf --type q8_0
      """)

  @Argument(help: ArgumentHelp("A checkpoint: its folder, or a GGUF file.", valueName: "model"))
  var model: String

  @Option(help: ArgumentHelp("The GGUF file to write.", valueName: "file"))
  var out: String

  @OptionGroup var gguf: GGUFOptions

  @Flag(help: "Replace an existing file.")
  var force = false

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = common.begin()
    let loaded = try Model(folder: model)
    let bytes = try GGUFOutput(loaded, type: gguf.type, to: out, force: force).write(loaded, console)
    let result = Result(model: model, out: out, parameters: loaded.checkpoint.parameterCount, bytes: bytes)
    print(json ? try jsonText(result) : result.line, terminator: "")
  }

  private struct Result: Encodable {
    let model: String
    let out: String
    let parameters: Int
    let bytes: Int

    var line: String { "  \(Numbers.grouped(parameters)) parameters, \(Numbers.bytes(bytes)). Model: \(out)\n" }
  }
}

enum WrittenFormat: String, CaseIterable, ExpressibleByArgument {
  case gguf
}

enum GGUFTypeName: String, CaseIterable, ExpressibleByArgument {
  case f32, f16, bf16
  case q80 = "q8_0"

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
  private let path: String
  private let type: ElementType?
  private let force: Bool
  private let precious: [String]
  private let vocabulary: [GGUFFile.Member]

  init(_ model: Model, type: GGUFTypeName?, to path: String, force: Bool, sparing precious: [String] = []) throws {
    self.path = path
    self.type = type?.elementType
    self.force = force
    self.precious = precious
    let checkpoint = model.checkpoint
    _ = try GGUFExport(model, type: self.type)
    try GGUFExport.refuseUnsafe(path, model: model, precious: precious, replacesExisting: force)
    vocabulary =
      checkpoint.gguf == nil
      ? try GGUFVocabulary(
        folder: checkpoint.folder, configuration: checkpoint.configuration, rows: model.configuration.vocabularySize
      ).metadata : []
  }

  /// Writes the model, some of whose matrices may have been replaced; returns the bytes of the file.
  @discardableResult
  func write(_ model: Model, _ console: Console) throws -> Int {
    var size = 0
    try GGUFExport(model, type: type).write(
      to: path, tokenizer: vocabulary, replacesExisting: force, sparing: precious
    ) { done, total in
      size = total
      console.progress("Writing", Double(done) / Double(max(total, 1)))
    }
    return size
  }
}
