import CheckpointFixtures
import Checkpoints
import Foundation
import Models
import Tensors
import Testing

/// Folders in which experts share the matrix of a base, and have two factors of what they add to it.
struct SharedBaseTests {
  private let folder: TemporaryFolder

  private static let names = (0..<2).map { "model.layers.0.block_sparse_moe.experts.\($0).w1.weight" }
  private static let base = "model.layers.0.block_sparse_moe.experts.base.w1.weight"
  private static func left(_ expert: Int) -> String { factor("left", expert) }
  private static func right(_ expert: Int) -> String { factor("right", expert) }
  private static func factor(_ side: String, _ expert: Int) -> String {
    "model.layers.0.block_sparse_moe.experts.\(expert).w1.delta.\(side).weight"
  }
  private static let references = names.map { TensorReference(name: $0, rows: 24, columns: 16) }

  init() throws { folder = try TemporaryFolder() }

  private func tiny() -> TinyModel {
    var model = TinyModel()
    model.factor(Self.names, besideBase: Self.base, rank: 3)
    return model
  }

  private func checkpoint(_ tiny: TinyModel) throws -> Checkpoint {
    try? FileManager.default.removeItem(at: folder["source"])
    try tiny.writeFactored(to: folder["source"])
    return try Checkpoint(path: folder.path("source"))
  }

  private func numbers(_ tiny: TinyModel, _ name: String) throws -> [Double] {
    let bytes = try #require(tiny.tensors.first { $0.name == name }).bytes
    return stride(from: 0, to: bytes.count, by: 2).map {
      Double(Float(bitPattern: UInt32(bytes[$0]) << 16 | UInt32(bytes[$0 + 1]) << 24))
    }
  }

  @Test func theMatrixIsTheBaseAndWhatIsAdded() throws {
    let tiny = tiny()
    let checkpoint = try checkpoint(tiny)
    let base = try numbers(tiny, Self.base)
    for expert in 0..<2 {
      let (left, right) = (try numbers(tiny, Self.left(expert)), try numbers(tiny, Self.right(expert)))
      let matrix = try checkpoint.matrix(Self.references[expert])
      #expect(matrix.factors?.rank == 3 && matrix.factors?.base != nil)
      let values = try matrix.doubles(rows: 0..<24, columns: 0..<16)
      for (place, value) in values.elements.enumerated() {
        let expected = (0..<3).reduce(base[place]) { $0 + left[place / 16 * 3 + $1] * right[$1 * 16 + place % 16] }
        #expect(abs(value - expected) <= 0x1p-8 * abs(expected) + 0x1p-20)
      }
      // Some columns of it alone, as a wide matrix is made, and products without the matrix.
      let numbers = (0..<32).map { Float($0 % 5) - 2 }
      let input = Matrix(rows: 2, columns: 16, elements: numbers)
      let product = Matrix(rows: 2, columns: 24)
      multiply(input, transposed: .stored(matrix), into: product)
      for row in 0..<2 {
        for output in 0..<24 {
          let expected = (0..<16).reduce(0.0) {
            $0 + Double(numbers[row * 16 + $1]) * values.elements[output * 16 + $1]
          }
          #expect(abs(Double(product.row(row)[output]) - expected) < 0.05)
        }
      }
    }
    try TinyModel().write(to: folder["plain"])
    #expect(try Model(checkpoint).sites == Model(path: folder.path("plain")).sites)
    #expect(checkpoint.parameterCount == tiny.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) })
  }

  /// A wide matrix is made column by column.
  @Test func wideMatrices() throws {
    let names = (0..<2).map { "model.layers.1.block_sparse_moe.experts.\($0).w2.weight" }
    let base = "model.layers.1.block_sparse_moe.experts.base.w2.weight"
    var tiny = TinyModel()
    tiny.factor(names, besideBase: base, rank: 2)
    let checkpoint = try checkpoint(tiny)
    let module = String(names[1].dropLast(".weight".count)) + ".delta."
    let (left, right) = (try numbers(tiny, module + "left.weight"), try numbers(tiny, module + "right.weight"))
    let shared = try numbers(tiny, base)
    let values = try checkpoint.matrix(TensorReference(name: names[1], rows: 16, columns: 24))
      .doubles(rows: 0..<16, columns: 0..<24)
    for (place, value) in values.elements.enumerated() {
      let expected = (0..<2).reduce(shared[place]) { $0 + left[place / 24 * 2 + $1] * right[$1 * 24 + place % 24] }
      #expect(abs(value - expected) <= 0x1p-8 * abs(expected) + 0x1p-20)
    }
  }

  @Test func aBaseOfAnotherType() throws {
    var tiny = tiny()
    tiny.change(Self.base) { tensor in
      let numbers = stride(from: 0, to: tensor.bytes.count, by: 2).map { tensor.bytes[$0...$0 + 1] }
      (tensor.type, tensor.bytes) = ("F32", numbers.flatMap { [0, 0] + $0 })
    }
    let (own, other) = (
      try checkpoint(tiny).matrix(Self.references[0]), try checkpoint(self.tiny()).matrix(Self.references[0])
    )
    #expect(own.type == .bfloat16 && own.holdsSame(as: other))
  }

  @Test func damaged() throws {
    func expectRefused(_ code: CheckpointError.Code, naming words: String..., change: (inout TinyModel) -> Void) throws
    {
      var tiny = tiny()
      change(&tiny)
      let damaged = try checkpoint(tiny)
      let error = #expect(throws: CheckpointError.self) { _ = try Model(damaged) }
      guard let error else { return }
      #expect(error.code == code, "\(error)")
      for word in words { #expect(error.description.contains(word), "\(error)") }
    }
    try expectRefused(.missingTensor, naming: Self.base, "added to it") { $0.remove(Self.base) }
    try expectRefused(.missingTensor, naming: Self.right(1), "other factor") { $0.remove(Self.right(1)) }
    try expectRefused(.wrongShape, naming: Self.base, "[16, 24]") { tiny in
      tiny.change(Self.base) { $0.shape = [16, 24] }
    }
    try expectRefused(.unsupported, naming: Self.base, "I16") { tiny in tiny.change(Self.base) { $0.type = "I16" } }
    // A base is none for experts that have nothing of their own.
    try expectRefused(.missingTensor, naming: Self.names[0]) { tiny in
      tiny.remove(Self.left(0))
      tiny.remove(Self.right(0))
    }
  }

  // MARK: Copies

  @Test func copies() throws {
    let checkpoint = try checkpoint(tiny())
    func copy(_ name: String, as form: MatrixForm, replacing: [TensorReference: StoredMatrix] = [:]) throws
      -> Checkpoint
    {
      try CheckpointCopy(of: checkpoint, to: folder.path(name), as: form, replacesExisting: false)
        .write(replacing: replacing)
      return try Checkpoint(path: folder.path(name))
    }
    let same = try copy("same", as: .factored)
    #expect(same.tensorNames == checkpoint.tensorNames)
    for name in checkpoint.tensorNames { #expect(same.holdsSame(name, as: checkpoint), "\(name)") }
    #expect(same.configuration["quantization_config"]?["version"]?.integer == 2)

    let dense = try copy("dense", as: .dense)
    #expect(dense.tensorNames == TinyModel().tensors.map(\.name).sorted())
    for reference in Self.references {
      #expect(try dense.matrix(reference).holdsSame(as: checkpoint.matrix(reference)))
    }

    // The base stays for those that are still made of it, and leaves with the last one.
    let whole = try Self.references.map { reference in
      let matrix = try dense.matrix(reference)
      return (reference, StoredMatrix(type: matrix.type, rows: 24, columns: 16, region: matrix.region))
    }
    let one = try copy("one", as: .factored, replacing: [whole[0].0: whole[0].1])
    #expect(one.contains(Self.names[0]) && one.contains(Self.base) && one.contains(Self.left(1)))
    #expect(!one.contains(Self.left(0)))
    let none = try copy("none", as: .factored, replacing: Dictionary(uniqueKeysWithValues: whole))
    #expect(!none.contains(Self.base) && none.tensorNames == dense.tensorNames)
    #expect(none.configuration["quantization_config"]?["version"]?.integer == 1)
    for copy in [one, none] { _ = try Model(copy) }
  }
}
