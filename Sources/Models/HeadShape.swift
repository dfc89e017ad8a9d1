/// The sizes of a layer's attention.
package struct HeadShape: Sendable, Equatable {
  package let count: Int
  /// Heads of keys and values, each of which neighbouring heads of queries share.
  package let keyValueCount: Int
  /// The numbers of a head's query and key.
  package let dimension: Int
  /// The numbers of a head's value.
  package internal(set) var valueDimension: Int
  /// Where the rotated numbers of a head begin.
  package internal(set) var rotatedStart = 0

  /// Values as wide as keys.
  init(count: Int, keyValueCount: Int, dimension: Int) {
    (self.count, self.keyValueCount, self.dimension) = (count, keyValueCount, dimension)
    valueDimension = dimension
  }

  package var queryWidth: Int { count * dimension }
  package var keyWidth: Int { keyValueCount * dimension }
  package var valueWidth: Int { keyValueCount * valueDimension }
  /// What the heads gather.
  package var contextWidth: Int { count * valueDimension }
  /// Queries, keys and values side by side.
  package var projectionWidth: Int { queryWidth + keyWidth + valueWidth }
}
