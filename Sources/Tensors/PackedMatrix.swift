internal import CKernels
internal import Glibc

/// A matrix (outputs, inputs) in the layout in which weights enter products: panels of 32 rows, the first number of
/// each row, then the second of each.
///
/// Packed once, it serves any number of products, on any thread. In bfloat16 it takes half the memory of float32.
package struct PackedMatrix: @unchecked Sendable {
  package let rows: Int
  package let columns: Int
  package let precision: Precision
  private let memory: Memory

  static let panelRows = Int(LASER_PANEL)
  /// Columns decoded at once, so that a panel's rows stay in the first caches. A whole number of any type's blocks.
  private static let columnBlock = 256

  private init(rows: Int, columns: Int, precision: Precision) {
    self.rows = rows
    self.columns = columns
    self.precision = precision.here
    let perRow = self.precision == .float32 ? columns : (columns + 1) / 2
    memory = Memory(units: (rows + Self.panelRows - 1) / Self.panelRows * Self.panelRows * perRow)
  }

  /// Packs float32 numbers, on all workers.
  package init(_ matrix: Matrix, precision: Precision = .float32) {
    self.init(rows: matrix.rows, columns: matrix.columns, precision: precision)
    let packed = self
    let blocks = blocks
    Parallelism.forEach(blocks.count) { index in
      Profile.measure(.packing) {
        for first in stride(from: blocks[index].lowerBound, to: blocks[index].upperBound, by: Self.panelRows) {
          let panel = first..<min(first + Self.panelRows, blocks[index].upperBound)
          packed.pack(matrix[rows: panel], at: first, column: 0)
        }
      }
    }
  }

  /// Packs the transpose of float32 numbers, on all workers: dY · W is
  /// `multiply(dY, transposed: PackedMatrix(transposing: W))`.
  ///
  /// - Parameter matrix: (rows, columns); the packed matrix has `columns` rows and `rows` columns.
  package init(transposing matrix: Matrix) {
    self.init(rows: matrix.columns, columns: matrix.rows, precision: .float32)
    let packed = self
    let blocks = blocks
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      Profile.measure(.packing) {
        laser_pack_columns(
          matrix.base + block.lowerBound, matrix.stride, matrix.rows, block.count, packed.panel(at: block.lowerBound))
      }
    }
  }

  /// Rows that a worker packs at once: several panels where they are small.
  private var blocks: [Range<Int>] {
    Parallelism.blocks(of: rows, size: max(1, (1 << 14) / max(1, Self.panelRows * columns)) * Self.panelRows)
  }

  /// Packs some rows of a stored matrix, or of some of its columns, on all workers.
  ///
  /// - Throws: `NotFinite` if one of their numbers is a NaN or an infinity.
  package init(
    _ stored: StoredMatrix, rows range: Range<Int>, columns part: Range<Int>? = nil, precision: Precision
  ) throws(StoredMatrix.NotFinite) {
    try self.init([StoredRows(stored, range)], columns: part, precision: precision)
  }

  /// Packs rows of stored matrices of one width on top of each other, or of some of their columns, on all workers.
  ///
  /// - Throws: `NotFinite` if one of their numbers is a NaN or an infinity.
  package init(
    _ parts: [StoredRows], columns part: Range<Int>? = nil, precision: Precision
  ) throws(StoredMatrix.NotFinite) {
    let width = parts.first?.matrix.columns ?? 0
    let part = part ?? 0..<width
    precondition(parts.allSatisfy { $0.matrix.columns == width }, "matrices of different widths")
    precondition(part.lowerBound >= 0 && part.upperBound <= width, "columns outside the matrix")
    self.init(rows: parts.reduce(0) { $0 + $1.rows.count }, columns: part.count, precision: precision)
    for part in parts { part.matrix.region.prepare() }
    let packed = self
    let finite = Parallelism.map(blocks) { block in
      Profile.measure(.packing) { packed.pack(parts, from: part.lowerBound, block: block) }
    }
    guard finite.allSatisfy(\.self) else { throw StoredMatrix.NotFinite() }
  }

  /// Packs a block of the parts' rows, from a column on; returns whether all numbers are finite.
  private func pack(_ parts: [StoredRows], from firstColumn: Int, block: Range<Int>) -> Bool {
    let scratch = Matrix(unfilled: Self.panelRows, columns: Self.columnBlock)
    for first in stride(from: block.lowerBound, to: block.upperBound, by: Self.panelRows) {
      let panel = first..<min(first + Self.panelRows, block.upperBound)
      for columns in Parallelism.blocks(of: columns, size: Self.columnBlock) {
        let numbers = scratch[rows: 0..<panel.count][columns: 0..<columns.count]
        var start = 0
        for part in parts {
          let rows = panel.clamped(to: start..<start + part.rows.count)
          for row in rows {
            let stored = part.rows.lowerBound + row - start
            let element = stored * part.matrix.columns + firstColumn + columns.lowerBound
            let target = numbers[rows: row - first..<row - first + 1]
            guard part.matrix.expand(from: element, count: columns.count, into: target) else { return false }
          }
          start += part.rows.count
        }
        pack(numbers, at: first, column: columns.lowerBound)
      }
    }
    return true
  }

  /// The first unit of the panel that begins at a row.
  private func panel(at row: Int) -> UnsafeMutablePointer<UInt32> { memory.base + row * unitsPerRow }

  private var unitsPerRow: Int { precision == .float32 ? columns : (columns + 1) / 2 }

  /// Puts a panel's rows in place, from an even column on.
  private func pack(_ part: Matrix, at row: Int, column: Int) {
    switch precision {
    case .float32:
      laser_pack_panel(
        part.base, part.stride, part.rows, part.columns, panel(at: row) + column * Self.panelRows)
    case .bfloat16:
      let units = (part.columns + 1) / 2
      withUnsafeTemporaryAllocation(of: UInt16.self, capacity: part.rows * units * 2) { narrow in
        guard let base = narrow.baseAddress else { return }
        for row in 0..<part.rows {
          let target = base + row * units * 2
          target[units * 2 - 1] = 0
          laser_narrow_bf16(part.base + row * part.stride, target, part.columns)
        }
        laser_pack_panel(base, units, part.rows, units, panel(at: row) + column / 2 * Self.panelRows)
      }
    }
  }

  /// Bytes that a worker takes for a product of so many rows with a matrix of so many columns.
  package static func scratchBytes(rows: Int, columns: Int) -> Int { laser_product_scratch_bytes(rows, columns) }

  /// c = a · selfᵀ, or c += a · selfᵀ: see `multiply`.
  func product(_ a: Matrix, into c: Matrix, adding: Bool) {
    let bytes = Self.scratchBytes(rows: a.rows, columns: columns)
    withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 64) { scratch in
      switch precision {
      case .float32:
        memory.base.withMemoryRebound(to: Float.self, capacity: memory.units) { panels in
          laser_product_f32(
            a.base, a.stride, a.rows, panels, Self.panelRows * columns, columns, c.base, c.stride, rows, adding,
            scratch.baseAddress)
        }
      case .bfloat16:
        memory.base.withMemoryRebound(to: UInt16.self, capacity: 2 * memory.units) { panels in
          laser_product_bf16(
            a.base, a.stride, a.rows, panels, Self.panelRows * 2 * unitsPerRow, columns, c.base, c.stride, rows, adding,
            scratch.baseAddress)
        }
      }
    }
  }

  private final class Memory: @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt32>
    let units: Int

    init(units: Int) {
      self.units = units
      base = .allocate(capacity: max(units, 1))
    }

    deinit { base.deallocate() }
  }
}

/// Consecutive rows of a stored matrix.
package struct StoredRows: Sendable {
  package let matrix: StoredMatrix
  package let rows: Range<Int>

  package init(_ matrix: StoredMatrix, _ rows: Range<Int>) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= matrix.rows, "rows outside the matrix")
    (self.matrix, self.rows) = (matrix, rows)
  }
}
