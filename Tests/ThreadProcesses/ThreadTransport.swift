internal import Foundation
package import Processes

/// Processes that are threads of one: what MPI does between processes, by copying.
package final class ThreadTransport: Transport {
  package let rank: Int
  package var count: Int { meeting.count }
  package let receivedBytes = 0
  private let meeting: Meeting

  private init(rank: Int, _ meeting: Meeting) { (self.rank, self.meeting) = (rank, meeting) }

  /// Runs the body in so many threads, each of which is one process of a group, and returns what each returned, by rank.
  package static func run<Value: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (ProcessGroup) throws -> Value
  ) async -> [Result<Value, any Error>] {
    let meeting = Meeting(count)
    return await withTaskGroup(of: (Int, Result<Value, any Error>).self) { tasks in
      for rank in 0..<count {
        tasks.addTask {
          await withCheckedContinuation { continuation in
            let thread = Thread {
              continuation.resume(
                returning: (rank, Result { try body(ProcessGroup(ThreadTransport(rank: rank, meeting))) }))
            }
            thread.stackSize = 8 << 20
            thread.start()
          }
        }
      }
      var results: [Int: Result<Value, any Error>] = [:]
      for await (rank, result) in tasks { results[rank] = result }
      return (0..<count).compactMap { results[$0] }
    }
  }

  package func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from sender: Int) {
    meeting.meet(rank, UnsafeRawBufferPointer(bytes)) { offered in
      precondition(offered[sender].count == bytes.count, "another number of bytes")
      if rank != sender { bytes.copyMemory(from: offered[sender]) }
    }
  }

  package func gather(_ own: UnsafeRawBufferPointer, byteCounts: [Int], into all: UnsafeMutableRawBufferPointer) {
    meeting.meet(rank, own) { offered in
      precondition(offered.map(\.count) == byteCounts, "another number of bytes")
      var start = 0
      for bytes in offered {
        UnsafeMutableRawBufferPointer(rebasing: all[start..<start + bytes.count]).copyMemory(from: bytes)
        start += bytes.count
      }
    }
  }
}

/// Where all threads come together, each with bytes that the others may look at until all have.
private final class Meeting: @unchecked Sendable {
  let count: Int
  private let condition = NSCondition()
  private var offered: [UnsafeRawBufferPointer]
  private var arrived = 0
  private var round = 0

  init(_ count: Int) {
    self.count = count
    offered = Array(repeating: UnsafeRawBufferPointer(start: nil, count: 0), count: count)
  }

  func meet(_ rank: Int, _ bytes: UnsafeRawBufferPointer, _ body: ([UnsafeRawBufferPointer]) -> Void) {
    condition.lock()
    offered[rank] = bytes
    condition.unlock()
    wait()
    body(offered)
    wait()
  }

  /// Until all are here.
  private func wait() {
    condition.lock()
    defer { condition.unlock() }
    arrived += 1
    guard arrived < count else {
      arrived = 0
      round += 1
      return condition.broadcast()
    }
    let here = round
    let limit = Date.now + 600
    while round == here {
      guard condition.wait(until: limit) else { fatalError("a process did not come to a step that the others came to") }
    }
  }
}
