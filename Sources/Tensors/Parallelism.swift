internal import CKernels
internal import COpenBLAS
internal import Dispatch
internal import Synchronization

/// The one place that says how many threads work, ours or BLAS's.
///
/// Work is divided outside BLAS: each worker takes a block of tokens (or a matrix) and calls BLAS with one thread. No
/// result depends on the number of workers: blocks do not, or what is computed in them does not depend on where they
/// end. BLAS has all threads only inside `wholeMachine`.
package enum Parallelism {
  private static let configured = Atomic<Int>(0)
  private static let blasPrepared: Void = openblas_set_num_threads(1)

  /// The number of workers: what was configured, else the processors that this process may use.
  package static var threads: Int {
    get {
      let value = configured.load(ordering: .relaxed)
      return value > 0 ? value : max(1, Int(openblas_get_num_procs()))
    }
    set { configured.store(max(0, newValue), ordering: .relaxed) }
  }

  /// Has the memory of scratch matrices used again instead of given back to the system, which would fill every page
  /// with zeros each time. For a program to call at its start.
  package static func keepFreedMemory() { laser_keep_freed_memory() }

  /// Every call of BLAS passes here first.
  static func prepare() { _ = blasPrepared }

  /// Runs the body once for each index, on all workers; returns when all are done.
  package static func forEach(_ count: Int, _ body: @Sendable (Int) -> Void) {
    let workers = min(threads, count)
    guard workers > 1 else {
      for index in 0..<count { body(index) }
      return
    }
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        body(index)
      }
    }
  }

  /// The results for each element, in order, computed on all workers.
  package static func map<Element: Sendable, Result: Sendable>(
    _ elements: [Element], _ transform: @Sendable (Element) -> Result
  ) -> [Result] {
    if elements.count == 1 || threads == 1 { return elements.map(transform) }
    let results = Mutex<[Result?]>(Array(repeating: nil, count: elements.count))
    forEach(elements.count) { index in
      let result = transform(elements[index])
      results.withLock { $0[index] = result }
    }
    return results.withLock { $0.compactMap(\.self) }
  }

  /// 0..<count in blocks of `size`, the last one shorter.
  package static func blocks(of count: Int, size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
  }

  /// 0..<count in blocks of nearly one size, at most `size`, as many for one worker as for another.
  ///
  /// Its use is work whose results do not depend on where a block ends: that may depend on the number of workers.
  /// Blocks are whole tiles of products as far as that goes.
  package static func shares(of count: Int, atMost size: Int) -> [Range<Int>] {
    guard count > 0 else { return [] }
    let share = (count - 1) / shareCount(of: count, atMost: size) + 1
    let tile = Int(LASER_TILE_ROWS)
    return blocks(of: count, size: min(size, (share + tile - 1) / tile * tile))
  }

  /// In how many parts of at most `size` work is divided evenly among the workers.
  package static func shareCount(of count: Int, atMost size: Int) -> Int {
    let fewest = max(1, (count + size - 1) / size)
    return (fewest + threads - 1) / threads * threads
  }

  /// Gives BLAS and LAPACK all threads for one large operation. Not to be called from within `forEach`.
  package static func wholeMachine<Result>(_ body: () throws -> Result) rethrows -> Result {
    prepare()
    openblas_set_num_threads(Int32(threads))
    defer { openblas_set_num_threads(1) }
    return try body()
  }
}
