import CheckpointFixtures
import Checkpoints
import Foundation
import Inference
import Models
import Tensors
import Testing

/// An output matrix of its own under a configuration that ties it to the embedding: transformers 5.24 uses the stored one
/// where the two differ (runs/differential/configurations.py compares).
struct TiedHeadTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func model(_ name: String, ties: Bool, _ change: (inout TinyModel) -> Void = { _ in }) throws -> Model {
    var tiny = TinyModel()
    tiny.configuration["tie_word_embeddings"] = "\(ties)"
    change(&tiny)
    try tiny.write(to: folder[name])
    return try Model(path: folder.path(name))
  }

  private func logits(_ model: Model) throws -> [Float] {
    let batch = WindowBatch([WindowBatch.Window(tokens: [5, 17, 250, 3], firstScored: 1)])
    let forward = try ForwardPass(model, batch)
    let states = try forward.embeddings()
    for layer in 0..<model.configuration.layerCount { try forward.run(layer: layer, states) }
    return try forward.logits(states).elements
  }

  @Test func theStoredMatrixPrevails() throws {
    let stale = try model("stale", ties: true)
    #expect(try logits(stale) == logits(model("plain", ties: false)))
    #expect(!stale.configuration.tiesEmbeddings)
    #expect(stale.notes.count == 1 && stale.notes[0].contains("lm_head.weight differs"))
    #expect(stale.notes[0].contains(folder.path("stale")))
  }

  /// In GGUF, and in a folder made of it, the flag is not stale any more.
  @Test func itIsConverted() throws {
    let stale = try model("stale", ties: true)
    try GGUFExport(stale, type: .f32).write(
      to: GGUFExport.file(folder.path("a.gguf"), of: stale, replacesExisting: false), tokenizer: [])
    let file = try Model(path: folder.path("a.gguf"))
    #expect(file.checkpoint.contains("output.weight"))
    #expect(try largestDifference(logits(file), logits(stale)) < 1e-4)
    _ = try FolderExport(file, type: nil).write(
      to: folder.path("again"), files: [], shardSize: 1 << 30, replacesExisting: false)
    let again = try Model(path: folder.path("again"))
    #expect(again.notes.isEmpty && again.checkpoint.configuration["tie_word_embeddings"]?.boolean == false)
  }

  /// Equal numbers, whatever they are stored in, are one matrix.
  @Test(arguments: ["BF16", "F32"]) func aRedundantMatrixChangesNothing(_ type: String) throws {
    let redundant = try model("redundant", ties: true) { tiny in
      let embedding = tiny.tensors.first { $0.name == "model.embed_tokens.weight" }
      tiny.change("lm_head.weight") { head in
        let bytes = embedding?.bytes ?? []
        head.type = type
        head.bytes =
          type == "BF16"
          ? bytes : stride(from: 0, to: bytes.count, by: 2).flatMap { [0, 0, bytes[$0], bytes[$0 + 1]] }
      }
    }
    #expect(redundant.configuration.tiesEmbeddings && redundant.notes.isEmpty)
    #expect(redundant.layout.head == redundant.layout.embedding)
    #expect(try logits(redundant) == logits(model("without", ties: true) { $0.remove("lm_head.weight") }))
  }

  /// The mixture has the base's output matrix, and says so.
  @Test func itIsMerged() throws {
    var tiny = TinyModel.dense()
    tiny.configuration["tie_word_embeddings"] = "true"
    try tiny.write(to: folder["base"])
    let merged = try MergedMixture(
      base: Model(path: folder.path("base")), expertCount: 2, expertsPerToken: 1, type: .bfloat16)
    #expect(merged.tensors.contains { $0.name == "lm_head.weight" })
    #expect(merged.configuration["tie_word_embeddings"]?.boolean == false)
  }
}
