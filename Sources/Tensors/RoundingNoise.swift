/// What rounding to the stored type adds to a matrix W, or to its difference to a base, as noise: how large its
/// singular values can be.
///
/// A number whose neighbours in its type are u apart was rounded by at most u / 2; the error of numbers that were
/// moved by much more than u is uniform, of variance u² / 12, and independent of the others. The largest singular
/// value of a matrix of independent entries of variance s²ᵢⱼ is, as matrices grow, at most max over rows √Σⱼ s²ᵢⱼ +
/// max over columns √Σᵢ s²ᵢⱼ (Bandeira & van Handel 2016, "Sharp nonasymptotic bounds on the norm of random matrices
/// with independent entries"), which for equal variances is the s (√m + √n) of Marchenko & Pastur. The spacing u is
/// read from the numbers themselves.
package struct RoundingNoise: Sendable {
  private var rowVariances: [Double]
  private var columnVariances: [Double]
  private var isKnown = true

  package init(rows: Int, columns: Int) {
    rowVariances = Array(repeating: 0, count: rows)
    columnVariances = Array(repeating: 0, count: columns)
  }

  /// Takes a part: some of the rows of a matrix that has as many rows as columns or more, else some of its columns.
  ///
  /// - Parameters:
  ///   - base: What is subtracted, the same part. Of each pair the coarser spacing counts: a fine-tune that is stored
  ///     in the type of its base started from just these numbers, and only its result was rounded.
  ///   - start: The part's first row or column.
  package mutating func take(
    _ numbers: DoubleMatrix, _ type: ElementType, _ base: DoubleMatrix?, _ baseType: ElementType?, at start: Int
  ) {
    guard let spacing = Spacing(type) else { return isKnown = false }
    var baseSpacing: Spacing?
    if base != nil {
      guard let known = baseType.flatMap(Spacing.init) else { return isKnown = false }
      baseSpacing = known
    }
    let (firstRow, firstColumn) = rowVariances.count >= columnVariances.count ? (start, 0) : (0, start)
    for row in 0..<numbers.rows {
      var sum = 0.0
      for column in 0..<numbers.columns {
        let place = row * numbers.columns + column
        var unit = spacing.at(numbers.elements[place])
        if let base, let baseSpacing { unit = max(unit, baseSpacing.at(base.elements[place])) }
        sum += unit * unit
        columnVariances[firstColumn + column] += unit * unit / 12
      }
      rowVariances[firstRow + row] += sum / 12
    }
  }

  /// The singular value at which rounding ends; nil for types in blocks, whose numbers share their scale.
  package var edge: Double? {
    guard isKnown else { return nil }
    return (rowVariances.max() ?? 0).squareRoot() + (columnVariances.max() ?? 0).squareRoot()
  }

  /// How far apart the numbers of a type are.
  private struct Spacing {
    private let relative: Double
    private let smallestNormal: Double

    init?(_ type: ElementType) {
      switch type {
      case .bfloat16: (relative, smallestNormal) = (0x1p-7, 0x1p-126)
      case .float16: (relative, smallestNormal) = (0x1p-10, 0x1p-14)
      case .float32: (relative, smallestNormal) = (0x1p-23, 0x1p-126)
      default: return nil
      }
    }

    func at(_ number: Double) -> Double {
      let power = Double(bitPattern: number.bitPattern & 0x7FF0_0000_0000_0000)
      return relative * max(power, smallestNormal)
    }
  }
}
