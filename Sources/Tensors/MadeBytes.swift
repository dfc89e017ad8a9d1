internal import Synchronization

/// Bytes that are made of others when they are asked for. They exist from their first use until they are released, or
/// nobody holds them any more: a model of such matrices is never in memory as a whole.
final class MadeBytes: ByteRegion {
  let byteCount: Int
  let makingByteCount: Int
  /// What they are made of.
  private let sources: [any ByteRegion]
  private let make: @Sendable () -> any ByteRegion
  private let made = Mutex<(any ByteRegion)?>(nil)

  /// - Parameters:
  ///   - scratch: Bytes of memory that making takes beside the result.
  ///   - make: Makes all bytes, on all workers.
  init(
    byteCount: Int, scratch: Int = 0, of sources: [any ByteRegion], _ make: @escaping @Sendable () -> any ByteRegion
  ) {
    self.byteCount = byteCount
    makingByteCount = byteCount + scratch + sources.reduce(0) { $0 + $1.makingByteCount }
    self.sources = sources
    self.make = make
  }

  func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try bytes().withBytes(body)
  }

  func prepare() { _ = bytes() }

  /// A part alone cannot be given back.
  func release(_ range: Range<Int>) {
    guard range.count >= byteCount else { return }
    made.withLock { $0 = nil }
    releaseSources()
  }

  func readAhead() { for source in sources { source.readAhead() } }

  /// Whoever comes while they are being made waits for them.
  private func bytes() -> any ByteRegion {
    made.withLock { made in
      if let made { return made }
      let result = make()
      precondition(result.byteCount == byteCount, "other bytes were made")
      made = result
      return result
    }
  }

  private func releaseSources() { for source in sources { source.release(0..<source.byteCount) } }
}
