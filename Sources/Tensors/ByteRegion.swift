/// Bytes that someone else owns: a part of a mapped file, or an array.
package protocol ByteRegion: Sendable {
  var byteCount: Int { get }
  /// Lends the bytes for the duration of the call.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
}

/// Bytes in memory.
package struct OwnedBytes: ByteRegion {
  package let bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var byteCount: Int { bytes.count }

  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes(body)
  }
}
