internal import ArgumentParser
internal import Checkpoints
internal import Evaluation
internal import FoundationEssentials
internal import Models
internal import Reports
internal import Tensors
internal import Tokenization
internal import Wording

/// How a GGUF file is written.
struct GGUFOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What matrices are stored as: f32, f16, bf16 or, in GGUF, q8_0 or a mixture as q4_k_m; as they are by default.",
      valueName: "type"))
  var type: GGUFFileType?

  @Option(
    help: ArgumentHelp(
      "Quantise by how much each column matters: on a text, or as a .gguf of llama-imatrix says.",
      discussion: """
        The text goes through the model in windows of 512 tokens; what is summed are the squares of the inputs of every \
        matrix, of each expert's by itself.
        """, valueName: "file"), completion: .file())
  var imatrix: String?

  @Option(
    help: ArgumentHelp("Where to write what '--imatrix' measured, as llama-imatrix does.", valueName: "file"),
    completion: .file(extensions: ["gguf"]))
  var imatrixOut: String?

  @Option(
    help: ArgumentHelp(
      "A model card to write for the file, as README.md; what one says that is there, with '--force', stays.",
      valueName: "file"), completion: .file(extensions: ["md"]))
  var card: String?

  @OptionGroup var memory: MemoryOption

  /// The name of an option that was given.
  var given: String? {
    let all = [
      ("--type", type != nil), ("--imatrix", imatrix != nil), ("--imatrix-out", imatrixOut != nil),
      ("--card", card != nil),
    ]
    return all.first(where: \.1)?.0
  }

  /// Whether the importance of columns is read, not measured.
  var readsImportance: Bool { imatrix?.hasSuffix(".gguf") == true }

  func validate() throws {
    if imatrix != nil, type.map({ $0.plainType == nil }) != true {
      throw ValidationError("'--imatrix' is for a '--type' that is quantised, as q4_k_m.")
    }
    if imatrixOut != nil, imatrix == nil || readsImportance {
      throw ValidationError("'--imatrix-out' goes with '--imatrix' and a text.")
    }
    if type == .q2KSmall, imatrix == nil {
      throw ValidationError("'--type q2_k_s' has too few bits for columns that all count alike: give '--imatrix'.")
    }
  }
}

extension GGUFFileType: ExpressibleByArgument {
  /// In any case: llama.cpp's programs write Q8_0.
  package init?(argument: String) { self.init(rawValue: argument.lowercased()) }
}

extension ElementType: ExpressibleByArgument {
  package init?(argument: String) {
    self.init(rawValue: argument.uppercased())
    if isReadOnly { return nil }
  }

  package static var allValueStrings: [String] { allCases.filter { !$0.isReadOnly }.map { $0.rawValue.lowercased() } }
}

/// A GGUF file to be written, whose making has been found possible.
struct GGUFOutput {
  private let file: OutputFile
  private let options: GGUFOptions
  private let importance: ImportanceSource?
  private let vocabulary: [GGUFFile.Member]
  private let notes: [String]
  private let origin: [GGUFFile.Member]
  private let card: Card?

  /// Where the model card goes, and what makes it of the one that is there.
  private struct Card {
    let file: OutputFile
    let existing: String?
    let readme: (_ existing: String?) -> String
  }

  private enum ImportanceSource {
    case file(ImportanceMatrix)
    case text(Evaluation, to: OutputFile?)
  }

  /// - Parameters:
  ///   - name: Of the model on the Hugging Face Hub, if its folder does not say.
  ///   - lasered: Makes the model card of a model some of whose matrices are to be replaced; nil for the model itself.
  init(
    _ model: Model, name: String?, _ options: GGUFOptions, to path: String, force: Bool,
    lasered: ((GGUFContent) throws -> ModelCard)? = nil, protecting paths: [String] = []
  ) throws {
    self.options = options
    let checkpoint = model.checkpoint
    _ = try GGUFExport(model, type: options.type)
    let paths = paths + (options.imatrix.map { [$0] } ?? [])
    file = try GGUFExport.file(path, of: model, replacesExisting: force, protecting: paths)
    importance = try Self.importance(model, options, force: force, protecting: paths + [path])
    let made =
      checkpoint.gguf == nil
      ? try GGUFVocabulary(
        folder: checkpoint.path, configuration: checkpoint.configuration, rows: model.configuration.vocabularySize)
      : nil
    vocabulary = made?.metadata ?? []
    notes = made?.notes ?? []
    origin = checkpoint.gguf == nil ? GGUFOrigin(model, name: name, isLasered: lasered != nil).members : []
    card = try options.card.map { card in
      let content = GGUFContent(
        file: fileName(path), type: options.type?.rawValue, importance: options.imatrix.map(fileName))
      let file = try OutputFile(
        card, ending: ".md", of: "a model card", replacesExisting: force, inputs: [checkpoint.path] + paths)
      let bytes = FileManager.default.contents(atPath: card)
      let existing = bytes.flatMap { String(validating: $0, as: UTF8.self) }
      if bytes != nil, existing == nil { throw InputError("\(card): not UTF-8 text, so nothing can be added to it") }
      if let lasered {
        let made = try lasered(content)
        return Card(file: file, existing: existing) { made.readme(existing: $0) }
      }
      let made = GGUFCard(ofModel: checkpoint.path, name: name, content)
      return Card(file: file, existing: existing) { made.readme(existing: $0) }
    }
  }

  /// Tokens of a window that llama-imatrix takes if nothing is said.
  private static let context = 512

  private static func importance(
    _ model: Model, _ options: GGUFOptions, force: Bool, protecting paths: [String]
  ) throws -> ImportanceSource? {
    guard let path = options.imatrix else { return nil }
    if options.readsImportance { return .file(try ImportanceMatrix(path: path)) }
    let folder = model.checkpoint.path
    let tokenizer = try Tokenizer(path: folder)
    let longest = try model.checkpoint.configuration.size("max_position_embeddings", default: context)
    let evaluation = try Evaluation(
      [Corpus(file: path, tokenizer: tokenizer, model: folder)], convention: .windows,
      context: min(context, longest), tokenizer: tokenizer)
    let target = try options.imatrixOut.map {
      try GGUFExport.file($0, of: model, replacesExisting: force, protecting: paths)
    }
    return .text(evaluation, to: target)
  }

  /// Writes the model, some of whose matrices may have been replaced; returns the bytes of the file.
  @discardableResult
  func write(_ model: Model, _ console: Console) throws -> Int {
    let export = try GGUFExport(model, type: options.type, importance: importance(of: model, console))
    var size = 0
    try export.write(
      to: file, tokenizer: vocabulary, origin: origin,
      importanceFile: options.readsImportance ? options.imatrix : nil
    ) { done, total in
      size = total
      console.progress("Writing", Double(done) / Double(max(total, 1)))
    }
    if let card { try card.file.write(card.readme(card.existing)) }
    for note in notes { console.note("note: \(note)") }
    let without = export.tensorsWithoutImportance
    if let first = without.first {
      console.note("note: quantised without importance, which the matrix has not of \(without.count) tensors: \(first)")
    }
    return size
  }

  /// How much the columns of the model's matrices matter; nil where they all count alike.
  private func importance(of model: Model, _ console: Console) throws -> ImportanceMatrix? {
    switch importance {
    case nil: return nil
    case .file(let matrix): return matrix
    case .text(let evaluation, let target):
      let matrix = try evaluation.importance(of: model, memory: options.memory.bytes) {
        console.progress("Measuring", $0)
      }
      if let target { try matrix.write(to: target) }
      let unseen = matrix.entries.filter { $0.value.counts.contains(0) }.keys.sorted()
      if let first = unseen.first {
        console.note(
          "note: the text sent no token to some experts of \(unseen.count) tensors (\(first)), whose columns all count "
            + "alike; more text would help")
      }
      return matrix
    }
  }
}
