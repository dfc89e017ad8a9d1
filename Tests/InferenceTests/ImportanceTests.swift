import CheckpointFixtures
import Checkpoints
import Evaluation
import Foundation
import Inference
import Models
import Tensors
import Testing
import Tokenization

/// How much the columns of matrices matter.
@Suite(.serialized) struct ImportanceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Three windows of random tokens.
  private func evaluation(_ model: Model) throws -> Evaluation {
    let tokens = (0..<60).map { Int32($0 * 37 % model.configuration.vocabularySize) }
    return try Evaluation(
      [Corpus(path: "some/text.txt", tokens: tokens)], convention: .windows, context: 20,
      tokenizer: Tokenizer(path: Self.posy))
  }

  private static let posy =
    #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/runs/posy/model"

  /// Sums of squares of what the backward pass says that the matrices' inputs are.
  private func expected(_ model: Model, _ evaluation: Evaluation) throws -> [String: (sums: [[Double]], counts: [Int])]
  {
    let forward = try ForwardPass(model, WindowBatch(evaluation.windows))
    let count = model.configuration.layerCount
    var states = [try forward.embeddings()]
    for layer in 0..<count {
      let next = states[layer].copy()
      try forward.run(layer: layer, next)
      states.append(next)
    }
    let pass = GradientPass(forward)
    let gradient = try pass.gradient(ofLast: states[count])
    var result: [String: (sums: [[Double]], counts: [Int])] = [:]
    for layer in (0..<count).reversed() {
      let isStacked = model.layout.layers[layer].router != nil
      try pass.run(layer: layer, states[layer], gradient, observing: Set(Role.allCases)) { seen in
        let name = seen.site.role.ggufTensor(layer: layer, isStacked: isStacked)
        let matrices = seen.site.expert == nil ? 1 : model.configuration.expertCount
        var entry =
          result[name]
          ?? (
            Array(repeating: Array(repeating: 0, count: seen.inputs.columns), count: matrices),
            Array(repeating: 0, count: matrices)
          )
        for row in 0..<seen.inputs.rows {
          for (column, number) in seen.inputs.row(row).enumerated() {
            entry.sums[seen.site.expert ?? 0][column] += Double(number) * Double(number)
          }
        }
        entry.counts[seen.site.expert ?? 0] += seen.inputs.rows
        result[name] = entry
      }
    }
    return result
  }

  @Test(arguments: ["llama", "mixtral", "qwen2_moe", "glm4_moe"])
  func sumsAreThoseOfTheInputs(_ name: String) throws {
    let model = try ArchitectureFixture(name: name).model
    let evaluation = try evaluation(model)
    let matrix = try evaluation.importance(of: model, memory: .max)
    let expected = try expected(model, evaluation)
    #expect(Set(matrix.entries.keys) == Set(expected.keys))
    for (name, entry) in matrix.entries {
      let wanted = try #require(expected[name])
      #expect(entry.counts == wanted.counts, "\(name)")
      let sums = wanted.sums.flatMap(\.self)
      #expect(sums.count == entry.sums.count)
      #expect(zip(entry.sums, sums).allSatisfy { abs(Double($0) - $1) <= 1e-5 * $1 + 1e-9 }, "\(name)")
    }
    #expect(matrix.windows == 3 && matrix.context == 20 && matrix.datasets == ["text.txt"])
  }

  @Test func memoryAndThreadsChangeNoBit() throws {
    let model = try ArchitectureFixture(name: "mixtral").model
    let evaluation = try evaluation(model)
    let whole = try evaluation.importance(of: model, memory: .max)
    let threads = Parallelism.threads
    defer { Parallelism.threads = threads }
    for count in [1, 3] {
      Parallelism.threads = count
      #expect(try evaluation.importance(of: model, memory: .max).entries == whole.entries)
    }
    // One window at a time: as little memory as there may be.
    let least = #expect(throws: MemoryPlan.TooSmall.self) { try evaluation.importance(of: model, memory: 1 << 20) }
    #expect(try evaluation.importance(of: model, memory: #require(least).least).entries == whole.entries)
  }

  @Test func aFileWrittenIsReadAgain() throws {
    let entries = [
      "blk.0.attn_q.weight": ImportanceMatrix.Entry(sums: [1, 2, 3.5], counts: [4]),
      "blk.0.ffn_up_exps.weight": ImportanceMatrix.Entry(sums: [1, 2, 0, 0, 6, 9], counts: [2, 0, 3]),
    ]
    let written = ImportanceMatrix(entries: entries, datasets: ["a.txt"], windows: 7, context: 512)
    let path = folder.path("imatrix.gguf")
    try written.write(to: .gguf(path, replacesExisting: false, inputs: []))
    let read = try ImportanceMatrix(path: path)
    #expect(read.entries == entries && read.datasets == ["a.txt"] && read.windows == 7 && read.context == 512)
    let file = try GGUFFile(path: path)
    #expect(file.tensors.map(\.name).first == "blk.0.attn_q.weight.in_sum2")
    #expect(file.tensors.last.map { $0.shape } == [3, 1] && file["general.type"]?.string == "imatrix")
    // An expert that no token came to: its columns count alike.
    let experts = try #require(read.entries["blk.0.ffn_up_exps.weight"])
    #expect((0..<3).map { experts.importance(of: $0, columns: 2) } == [[0.5, 1], [1, 1], [2, 3]])
    // One count for all, as old files have it.
    let old = ImportanceMatrix.Entry(sums: [1, 2, 0, 0, 6, 9], counts: [2])
    #expect(old.importance(of: 2, columns: 2) == [3, 4.5])
  }

  @Test func whatIsNoImportanceMatrixIsRefused() throws {
    func write(_ tensors: [(String, [Float])], kind: String = "imatrix") throws -> String {
      let path = folder.path("bad.gguf")
      let writer = GGUFWriter(
        metadata: [.init(key: "general.type", value: .string(kind))],
        tensors: tensors.map { .init(name: $0.0, type: .init(.float32), shape: [$0.1.count]) })
      let numbers = Dictionary(uniqueKeysWithValues: tensors)
      try writer.write(to: path) { tensor throws(CheckpointError) in
        OwnedBytes((numbers[tensor.name] ?? []).flatMap { withUnsafeBytes(of: $0.bitPattern) { Array($0) } })
      }
      return path
    }
    let cases: [([(String, [Float])], String, String)] = [
      ([("a.in_sum2", [1, 2]), ("a.counts", [1])], "model", "imatrix"), ([], "imatrix", "no sums"),
      ([("a.in_sum2", [1, 2])], "imatrix", "a.counts"),
      ([("a.in_sum2", [1, 2, 3]), ("a.counts", [1, 1])], "imatrix", "do not fit"),
      ([("a.in_sum2", [1, -2]), ("a.counts", [1])], "imatrix", "negative"),
      ([("a.in_sum2", [1, .nan]), ("a.counts", [1])], "imatrix", "finite"),
    ]
    for (tensors, kind, word) in cases {
      let path = try write(tensors, kind: kind)
      let error = #expect(throws: CheckpointError.self) { try ImportanceMatrix(path: path) }
      #expect(error?.description.contains(word) == true, "\(error.map(\.description) ?? "")")
    }
  }
}
