internal import CKernels

// Matrices whose numbers have few bits and share scales that are stored apart. They are made in bfloat16 when they are
// asked for.

extension StoredMatrix {
  /// A matrix of E4M3 floats, (rows, columns) bytes, times a scale for each block of rows and columns.
  ///
  /// The product is made in float32 and rounded to bfloat16, as transformers does it.
  ///
  /// - Parameters:
  ///   - scales: One for each block, those at the right and at the bottom being smaller where need be.
  ///   - block: The rows and columns of a block.
  ///   - firstRow: Where the matrix begins in the one that the blocks are counted in.
  package init(
    e4m3 numbers: any ByteRegion, rows: Int, columns: Int, scales: StoredMatrix, block: (rows: Int, columns: Int),
    firstRow: Int = 0
  ) {
    precondition(numbers.byteCount == rows * columns, "bytes do not fit the shape")
    precondition(block.rows > 0 && block.columns > 0 && firstRow >= 0)
    precondition(
      scales.columns == (columns + block.columns - 1) / block.columns
        && scales.rows >= (firstRow + rows + block.rows - 1) / block.rows, "a block without its scale")
    self.init(
      type: .bfloat16, rows: rows, columns: columns,
      region: Self.made(rows: rows, columns: columns, of: [numbers, scales.region]) { range, target in
        let scale = Matrix(rows: 1, columns: scales.columns)
        numbers.withBytes { bytes in
          guard let source = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
          for row in range {
            // A scale that is not finite makes numbers that are not.
            _ = scales.expand(
              from: (firstRow + row) / block.rows * scales.columns, count: scales.columns, into: scale)
            laser_decode_e4m3(
              source + row * columns, scale.base, block.columns, target + (row - range.lowerBound) * columns, columns)
          }
        }
      })
  }

  /// A matrix in MXFP4 (Open Compute Project, Microscaling Formats 1.0), a row in blocks of 32 numbers: 16 bytes each of
  /// `blocks`, a number of even place in the lower half of its byte, and an exponent each of `scales`.
  package init(mxfp4 blocks: any ByteRegion, scales: any ByteRegion, rows: Int, columns: Int) {
    precondition(columns.isMultiple(of: 32), "a row is no whole number of blocks")
    let perRow = columns / 32
    precondition(
      blocks.byteCount == rows * perRow * 16 && scales.byteCount == rows * perRow, "bytes do not fit the shape")
    self.init(
      type: .bfloat16, rows: rows, columns: columns,
      region: Self.made(rows: rows, columns: columns, of: [blocks, scales]) { range, target in
        blocks.withBytes { blocks in
          scales.withBytes { scales in
            guard let blocks = blocks.baseAddress?.assumingMemoryBound(to: UInt8.self),
              let scales = scales.baseAddress?.assumingMemoryBound(to: UInt8.self)
            else { return }
            laser_decode_mxfp4(
              blocks + range.lowerBound * perRow * 16, scales + range.lowerBound * perRow, target,
              range.count * columns)
          }
        }
      })
  }

  /// bfloat16 numbers, made of some rows at a time, on all workers.
  private static func made(
    rows: Int, columns: Int, of sources: [any ByteRegion],
    _ fill: @escaping @Sendable (_ rows: Range<Int>, _ target: UnsafeMutablePointer<UInt16>) -> Void
  ) -> MadeBytes {
    let byteCount = ElementType.bfloat16.byteCount(of: rows * columns)
    return MadeBytes(byteCount: byteCount, of: sources) {
      let blocks = Parallelism.blocks(of: rows, size: max(1, (1 << 18) / max(1, columns)))
      for source in sources { source.prepare() }
      let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
        nonisolated(unsafe) let target = buffer.baseAddress
        Parallelism.forEach(blocks.count) { index in
          guard let target else { return }
          let start = target + ElementType.bfloat16.byteCount(of: blocks[index].lowerBound * columns)
          start.withMemoryRebound(to: UInt16.self, capacity: blocks[index].count * columns) { fill(blocks[index], $0) }
        }
        count = byteCount
      }
      return OwnedBytes(bytes)
    }
  }
}
