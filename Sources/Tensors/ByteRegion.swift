internal import Glibc

/// Bytes that someone else owns: a part of a mapped file, or an array.
package protocol ByteRegion: Sendable {
  var byteCount: Int { get }
  /// Lends the bytes for the duration of the call.
  func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R
  /// Gives back the memory of some bytes, if they can be had again from a file.
  func release(_ range: Range<Int>)
  /// Asks for all bytes to be read, if they are in a file; returns at once.
  func readAhead()
  /// Makes the bytes on all workers, where they are made only when they are asked for. To be called before workers ask
  /// for them, each of which would wait for the one that comes first.
  func prepare()
  /// Bytes of memory that making the bytes takes, they themselves among them; 0 where they are there.
  var makingByteCount: Int { get }
}

extension ByteRegion {
  package func release(_ range: Range<Int>) {}
  package func readAhead() {}
  package func prepare() {}
  package var makingByteCount: Int { 0 }

  /// Whether another region has the same bytes.
  package func holdsSame(as other: any ByteRegion) -> Bool {
    guard byteCount == other.byteCount else { return false }
    return withBytes { bytes in
      other.withBytes { others in
        guard let own = bytes.baseAddress, let its = others.baseAddress else { return true }
        return memcmp(own, its, bytes.count) == 0
      }
    }
  }
}

/// Bytes in memory.
package struct OwnedBytes: ByteRegion {
  package let bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var byteCount: Int { bytes.count }

  package func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try bytes.withUnsafeBufferPointer { bytes throws(E) in try body(UnsafeRawBufferPointer(bytes)) }
  }
}
