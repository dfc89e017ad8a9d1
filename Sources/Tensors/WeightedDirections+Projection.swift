internal import COpenBLAS

extension WeightedDirections {
  /// H = Σ wᵢ vᵢ vᵢᵀ (or Σ wᵢ uᵢ uᵢᵀ for m < n), symmetric: A H and H A are what `add` adds.
  ///
  /// Rows are made in blocks of one size, each from the diagonal on, so that no bit depends on the number of workers.
  var projection: Matrix {
    let (side, count) = (side, count)
    let result = Matrix(unfilled: side, columns: side)
    var scaled = Array(vectors.elements[range.lowerBound * side..<range.upperBound * side])
    scaled.withUnsafeMutableBufferPointer { numbers in
      for (row, weight) in weights.enumerated() {
        for column in row * side..<(row + 1) * side { numbers[column] *= weight }
      }
    }
    Parallelism.prepare()
    let blocks = Parallelism.blocks(of: side, size: Self.projectionBlock)
    let weighted = scaled
    Parallelism.forEach(blocks.count) { index in
      let block = blocks[index]
      let width = side - block.lowerBound
      var made = DoubleMatrix.zeros(rows: block.count, columns: width)
      vectors.elements.withUnsafeBufferPointer { vectors in
        weighted.withUnsafeBufferPointer { weighted in
          guard let first = vectors.baseAddress?.advanced(by: range.lowerBound * side), let other = weighted.baseAddress
          else { return }
          cblas_dgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, Int32(block.count), Int32(width), Int32(count), 1,
            other + block.lowerBound, Int32(side), first + block.lowerBound, Int32(side), 0, &made.elements,
            Int32(width))
        }
      }
      for row in block {
        for column in row..<side {
          let value = Float(made.elements[(row - block.lowerBound) * width + column - block.lowerBound])
          result.base[row * result.stride + column] = value
          result.base[column * result.stride + row] = value
        }
      }
    }
    return result
  }

  private static let projectionBlock = 128

  /// The same as without H, in float32.
  func add(of part: DoubleMatrix, by whole: PackedMatrix, sign: Double, to target: inout DoubleMatrix) {
    precondition((isTall ? part.columns : part.rows) == side, "not the matrix that was decomposed")
    let rows = Matrix(unfilled: isTall ? part.rows : part.columns, columns: side)
    for row in 0..<part.rows {
      for column in 0..<part.columns {
        let value = Float(part.elements[row * part.columns + column])
        if isTall {
          rows.base[row * rows.stride + column] = value
        } else {
          rows.base[column * rows.stride + row] = value
        }
      }
    }
    let product = Matrix(unfilled: rows.rows, columns: side)
    multiply(rows, transposed: whole, into: product)
    target.elements.withUnsafeMutableBufferPointer { target in
      for row in 0..<part.rows {
        for column in 0..<part.columns {
          let value = isTall ? product.base[row * product.stride + column] : product.base[column * product.stride + row]
          target[row * part.columns + column] += sign * Double(value)
        }
      }
    }
  }
}
