/// How bytes get from process to process. The one that is used is MPI's (`Launcher`); tests have threads of one process.
///
/// Nothing is ever added up on the way. A failure ends all processes.
package protocol Transport: Sendable {
  /// This process's number, from 0.
  var rank: Int { get }
  var count: Int { get }
  /// Bytes that this process got from others so far.
  var receivedBytes: Int { get }

  /// Fills the bytes of every process but the sender with the sender's. All have given as many.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from sender: Int)

  /// Puts the bytes of all processes back to back, in the order of their ranks.
  ///
  /// - Parameter byteCounts: How many bytes each process has.
  func gather(_ own: UnsafeRawBufferPointer, byteCounts: [Int], into all: UnsafeMutableRawBufferPointer)
}
