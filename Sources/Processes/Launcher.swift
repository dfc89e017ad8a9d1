internal import FoundationEssentials
internal import Glibc
package import Wording

#if MPI
  internal import CProcesses
  internal import Synchronization
#endif

/// Whoever started this process: mpirun, srun or the like, beside others of its kind, or nobody in particular.
package enum Launcher {
  /// Variables by which launchers of MPI programs say how many processes there are, or that there are such.
  private static let counts = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"]
  private static let marks = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"]

  /// Joins the processes that were started together; to be called once, by the thread that does all that concerns them.
  ///
  /// - Throws: `InputError` where there are others and this program was built without MPI.
  package static func join() throws(InputError) -> ProcessGroup {
    let environment = ProcessInfo.processInfo.environment
    #if MPI
      guard (counts + marks).contains(where: { environment[$0] != nil }) else { return .alone }
      var (rank, count): (Int32, Int32) = (0, 1)
      processes_join(&rank, &count)
      return ProcessGroup(MPITransport(rank: Int(rank), count: Int(count)))
    #else
      guard let found = counts.first(where: { environment[$0].flatMap { Int($0) } ?? 1 > 1 }) else { return .alone }
      // The first one says so; those that ended before it would take it along.
      if marks.compactMap({ environment[$0] }).contains(where: { $0 != "0" }) { sleep(2) }
      throw InputError(
        "\(environment[found] ?? "several") processes were started, but this laser was built without MPI and each would do the "
          + "whole work; build it with 'swift build -c release --traits MPI' (docs/clusters.md), or start one")
    #endif
  }

  /// Leaves the other processes, when all is done.
  package static func leave(_ group: ProcessGroup) {
    #if MPI
      if group.isLaunched { processes_leave() }
    #endif
  }

  /// Ends this process and all others at once.
  package static func abort(_ group: ProcessGroup, status: Int32) {
    #if MPI
      if group.isLaunched { processes_abort(status) }
    #endif
  }
}

#if MPI
  private final class MPITransport: Transport {
    let rank: Int
    let count: Int
    private let received = Atomic<Int>(0)

    init(rank: Int, count: Int) { (self.rank, self.count) = (rank, count) }

    var receivedBytes: Int { received.load(ordering: .relaxed) }

    func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from sender: Int) {
      processes_broadcast(bytes.baseAddress, bytes.count, Int32(sender))
      if rank != sender { received.wrappingAdd(bytes.count, ordering: .relaxed) }
    }

    func gather(_ own: UnsafeRawBufferPointer, byteCounts: [Int], into all: UnsafeMutableRawBufferPointer) {
      let total = byteCounts.reduce(0, +)
      precondition(byteCounts.count == count && byteCounts[rank] == own.count, "sizes of other processes")
      precondition(total <= all.count, "no room for all")
      processes_gather(own.baseAddress, all.baseAddress, byteCounts, Int32(count))
      received.wrappingAdd(total - own.count, ordering: .relaxed)
    }
  }
#endif
