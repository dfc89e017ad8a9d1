import Tensors
import Testing

@Suite struct MatrixPartTests {
  private static let parts: [MatrixPart] = [
    MatrixPart(.rows, from: 0, step: 2, count: 35), MatrixPart(.rows, from: 1, step: 2, count: 35),
    MatrixPart(.rows, from: 3, count: 40), MatrixPart(.rows, count: 70, isTransposed: true),
    MatrixPart(.columns, from: 1, step: 3, count: 30), MatrixPart(.columns, from: 5, count: 67),
    MatrixPart(.columns, from: 0, step: 2, count: 48, isTransposed: true),
    MatrixPart(.columns, count: 96, isTransposed: true), MatrixPart(.rows, from: 69, count: 1),
    MatrixPart(.rows, from: 69, step: 7, count: 1, isTransposed: true), MatrixPart(.rows, count: 0),
  ]
  private static let stored = StoredMatrix(rounding: .gaussian(rows: 70, columns: 96, seed: 4), to: .bfloat16)

  /// Where number (row, column) of a part is.
  private func place(_ part: MatrixPart, _ row: Int, _ column: Int) -> (row: Int, column: Int) {
    let (own, other) = part.isTransposed ? (column, row) : (row, column)
    return part.axis == .rows
      ? (part.first + own * part.step, other) : (own, part.first + other * part.step)
  }

  @Test(arguments: parts) func partsHaveTheNumbersOfTheirPlaces(_ part: MatrixPart) throws {
    let whole = try Self.stored.decoded()
    let matrix = StoredMatrix(part, of: Self.stored)
    let shape = part.shape(rows: 70, columns: 96)
    #expect((matrix.rows, matrix.columns) == (shape.rows, shape.columns))
    let numbers = try matrix.decoded()
    for row in 0..<matrix.rows {
      for column in 0..<matrix.columns {
        let place = place(part, row, column)
        #expect(numbers[row, column] == whole[place.row, place.column])
      }
    }
    #expect(matrix.region.makingByteCount == matrix.region.byteCount)
  }

  @Test(arguments: parts, [ElementType.bfloat16, .float32]) func replacedPartsLeaveTheRest(
    _ part: MatrixPart, _ type: ElementType
  ) throws {
    let stored = StoredMatrix(rounding: .gaussian(rows: 70, columns: 96, seed: 4), to: type)
    let shape = part.shape(rows: 70, columns: 96)
    let new = StoredMatrix(rounding: .gaussian(rows: shape.rows, columns: shape.columns, seed: 9), to: type)
    let result = try stored.replacing([(part, new)]).decoded()
    let expected = try stored.decoded()
    let numbers = try new.decoded()
    for row in 0..<shape.rows {
      for column in 0..<shape.columns {
        let place = place(part, row, column)
        expected[place.row, place.column] = numbers[row, column]
      }
    }
    #expect(DoubleMatrix(result).elements == DoubleMatrix(expected).elements)
  }

  private func numbers(_ matrix: StoredMatrix) throws -> [Double] { DoubleMatrix(try matrix.decoded()).elements }

  /// Gates and up projections whose rows take turns.
  @Test func twoPartsMakeAWhole() throws {
    let halves = [0, 1].map { MatrixPart(.rows, from: $0, step: 2, count: 35) }
    let zeros = StoredMatrix(rounding: .zeros(rows: 70, columns: 96), to: .bfloat16)
    let whole = zeros.replacing(halves.map { ($0, StoredMatrix($0, of: Self.stored)) })
    #expect(try numbers(whole) == numbers(Self.stored))
    whole.region.release(0..<whole.region.byteCount)
    #expect(try numbers(whole) == numbers(Self.stored))
  }
}
