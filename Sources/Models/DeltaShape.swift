/// The numbers of linear attention by the gated delta rule.
package struct DeltaShape: Sendable {
  /// Heads of queries and keys; each serves neighbouring heads of values.
  package let keyHeadCount: Int
  package let valueHeadCount: Int
  /// The numbers of a head's query and key, and of its value.
  package let keyDimension: Int
  package let valueDimension: Int
  /// Tokens that the convolution of queries, keys and values sees, the last being its own.
  package let convolutionWidth: Int

  package var keyWidth: Int { keyHeadCount * keyDimension }
  package var valueWidth: Int { valueHeadCount * valueDimension }
  /// Queries, keys and values side by side.
  package var channelCount: Int { 2 * keyWidth + valueWidth }

  /// Where what is made of a state stands: queries, keys and values, the gates of outputs, and of each value head the rate
  /// and the decay.
  package var channels: Range<Int> { 0..<channelCount }
  package var gates: Range<Int> { channelCount..<channelCount + valueWidth }
  package var rates: Range<Int> { gates.upperBound..<gates.upperBound + valueHeadCount }
  package var decays: Range<Int> { rates.upperBound..<rates.upperBound + valueHeadCount }
  package var projectionWidth: Int { decays.upperBound }

  package func queryColumns(ofKeyHead head: Int) -> Range<Int> { head * keyDimension..<(head + 1) * keyDimension }
  package func valueColumns(ofHead head: Int) -> Range<Int> { head * valueDimension..<(head + 1) * valueDimension }
  package func keyHead(ofHead head: Int) -> Int { head / (valueHeadCount / keyHeadCount) }
}
