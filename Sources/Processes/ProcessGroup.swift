/// Processes that work on one command together. Each is started with the same arguments, goes through the same steps and takes the
/// same decisions; only windows and matrices are divided among them. What one of them finds is handed to all, and is then
/// added up by each in the order in which a single process would: results are the same bytes, whatever their number.
///
/// A process may never decide by itself where the others would decide otherwise: all of them must come to the same calls
/// of this type, in the same order. Clocks, free memory and files that only one of them reads go through `fromFirst` or `least`.
package struct ProcessGroup: Sendable {
  private let transport: (any Transport)?

  /// One process, as usual.
  package static let alone = ProcessGroup(nil)

  package init(_ transport: (any Transport)?) { self.transport = transport }

  /// This process's number, from 0.
  package var rank: Int { transport?.rank ?? 0 }
  package var count: Int { transport?.count ?? 1 }
  package var isAlone: Bool { count == 1 }
  /// Whether a launcher of MPI programs started it, alone or with others.
  package var isLaunched: Bool { transport != nil }
  /// The first owns the console, the journal and all files that are written.
  package var isFirst: Bool { rank == 0 }

  /// Bytes that this process got from others so far.
  package var receivedBytes: Int { transport?.receivedBytes ?? 0 }

  // MARK: Handing values to each other

  /// The values of all processes, by rank.
  package func gather<Value: BitwiseCopyable>(_ own: [Value]) -> [[Value]] {
    guard let transport, count > 1 else { return [own] }
    let sizes = gatheredBytes([own.count], byteCounts: Array(repeating: MemoryLayout<Int>.stride, count: count))
    let all = transport.gathered(own, byteCounts: sizes.map { $0 * MemoryLayout<Value>.stride })
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return Array(all[start..<start + size])
    }
  }

  /// What one process has, in all of them.
  ///
  /// - Parameters:
  ///   - values: Of the sender; those of others are not looked at.
  ///   - sender: Its rank.
  package func broadcast<Value: BitwiseCopyable>(_ values: [Value], from sender: Int) -> [Value] {
    guard let transport, count > 1 else { return values }
    precondition((0..<count).contains(sender), "a process that is not there")
    var size = [values.count]
    size.withUnsafeMutableBytes { transport.broadcast($0, from: sender) }
    guard rank != sender else {
      var values = values
      values.withUnsafeMutableBytes { transport.broadcast($0, from: sender) }
      return values
    }
    return Array(unsafeUninitializedCapacity: size[0]) { buffer, filled in
      transport.broadcast(UnsafeMutableRawBufferPointer(buffer), from: sender)
      filled = size[0]
    }
  }

  /// The least of all processes' numbers, so that they decide by the same.
  package func least(_ number: Int) -> Int { gather([number]).joined().min() ?? number }

  package func greatest(_ number: Int) -> Int { gather([number]).joined().max() ?? number }

  // MARK: Dividing work

  /// The part of a list of things, by their sizes, that is this process's: neighbours, about as much for each.
  package func share(of sizes: [Int]) -> Range<Int> { Self.share(of: sizes, rank: rank, count: count) }

  /// A thing goes to the process in whose equal part of the whole its middle lies.
  static func share(of sizes: [Int], rank: Int, count: Int) -> Range<Int> {
    guard count > 1 else { return sizes.indices }
    let total = max(1, sizes.reduce(0, +))
    var before = 0
    let owners = sizes.map { size in
      defer { before += size }
      return min(count - 1, Int((Double(before) + Double(size) / 2) / Double(total) * Double(count)))
    }
    let start = owners.firstIndex { $0 >= rank } ?? sizes.count
    return start..<(owners.firstIndex { $0 > rank } ?? sizes.count)
  }

  // MARK: Inside

  private func gatheredBytes(_ own: [Int], byteCounts: [Int]) -> [Int] {
    transport.map { Array($0.gathered(own, byteCounts: byteCounts)) } ?? own
  }
}

extension Transport {
  /// The values of all processes back to back.
  fileprivate func gathered<Value: BitwiseCopyable>(_ own: [Value], byteCounts: [Int]) -> [Value] {
    let total = byteCounts.reduce(0, +) / MemoryLayout<Value>.stride
    return Array(unsafeUninitializedCapacity: total) { buffer, filled in
      own.withUnsafeBytes { gather($0, byteCounts: byteCounts, into: UnsafeMutableRawBufferPointer(buffer)) }
      filled = total
    }
  }
}
