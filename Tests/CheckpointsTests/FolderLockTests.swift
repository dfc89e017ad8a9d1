import CheckpointFixtures
import Checkpoints
import Foundation
import Glibc
import Synchronization
import Testing

/// One process at a time is at work in a folder, whichever host it is on.
struct FolderLockTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path("run") }
  private var file: URL { folder["run/.lock"] }

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(at: folder["run"], withIntermediateDirectories: false)
  }

  /// Without anything to be told.
  private func lock() throws -> FolderLock {
    try FolderLock(path) { note in Issue.record("\(note)") }
  }

  /// The lock file of another process.
  ///
  /// - Parameter age: Seconds since it was renewed.
  @discardableResult
  private func leave(_ holder: FolderLockHolder, age: Double = 0) throws -> FolderLockHolder {
    try Data(holder.bytes).write(to: file)
    try setAge(age)
    return holder
  }

  private func setAge(_ seconds: Double) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -seconds)], ofItemAtPath: file.path)
  }

  private func age() throws -> Double {
    let date = try FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate] as? Date
    return -(try #require(date)).timeIntervalSinceNow
  }

  private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path) }

  private func refusal() -> String {
    do {
      _ = try lock()
      return "taken"
    } catch { return "\(error)" }
  }

  @Test func aSecondOneIsRefusedUntilTheFirstHasEnded() throws {
    let first = try lock()
    let holder = try #require(FolderLock.holder(in: path))
    #expect(holder.process == getpid() && !holder.host.isEmpty)
    let words = refusal()
    for part in [path, holder.host, "process \(getpid())", "is at work there since \(holder.since)"] {
      #expect(words.contains(part), "\(words)")
    }
    #expect(!words.contains("if it is gone"), "the process table knows")
    first.release()
    #expect(try names().isEmpty && FolderLock.holder(in: path) == nil)
    let second = try lock()
    // What has ended does not take away what another one has now.
    first.release()
    #expect(FolderLock.holder(in: path) != nil)
    second.release()
  }

  /// What was killed, and what was killed and has given its number to another process.
  @Test func aDeadProcessOfThisMachineIsNotWaitedFor() throws {
    var child: pid_t = 0
    try #require(posix_spawn(&child, "/bin/true", nil, nil, [strdup("true"), nil], environ) == 0)
    usleep(200_000)  // it has ended, and nobody has asked how
    try leave(.machine(process: child, start: Self.start(of: child)))
    #expect(FolderLock.holder(in: path) == nil)
    try lock().release()
    var status: Int32 = 0
    waitpid(child, &status, 0)
    try leave(.machine(process: child, start: 5))
    try lock().release()
    try leave(.machine(process: getpid(), start: 5))
    let third = try lock()
    #expect(FolderLock.holder(in: path)?.process == getpid())
    third.release()
    #expect(try names().isEmpty)
  }

  @Test func aProcessOfAnotherMachineIsKnownByItsAge() throws {
    let other = try leave(.elsewhere, age: 290)
    let words = refusal()
    #expect(words.contains("node7, process 41, is at work there since 2026-01-02T03:04:05Z"), "\(words)")
    #expect(words.contains("if it is gone, try again in 5 minutes"), "\(words)")
    #expect(FolderLock.holder(in: path) == other)
    #expect(try names() == [".lock"], "nothing is left of the look at the clock")
    // A container of this machine has a process table of its own.
    let own = FolderLockHolder.machine(process: getpid(), start: Self.start(of: getpid()))
    try leave(own.inContainer(), age: 290)
    #expect(refusal().contains("is at work there"))
    // Older, and from before the clock was set back.
    for age in [310.0, -400] {
      try leave(.elsewhere, age: age)
      #expect(FolderLock.holder(in: path) == nil)
      var notes: [String] = []
      let taken = try FolderLock(path) { notes.append($0) }
      #expect(notes == ["takes over \(path) from node7, process 41: no sign of life for 5 minutes or more"])
      #expect(FolderLock.holder(in: path)?.process == getpid())
      taken.release()
      #expect(try names().isEmpty)
    }
    // Nobody has it where taking over could not be told.
    try leave(.elsewhere, age: 310)
    #expect(throws: CancellationError.self) { try FolderLock(path) { _ in throw CancellationError() } }
    #expect(try names().isEmpty)
  }

  @Test func whatIsNoLockStaysAsItIs() throws {
    let other = folder["other"]
    try Data("mine".utf8).write(to: other)
    for contents in ["mine", "{}", #"{"number":"../../x"}"#, String(repeating: "x", count: 10_000)] {
      try Data(contents.utf8).write(to: file)
      #expect(refusal().contains(".lock: damaged, or not laser's; remove it"), "\(contents.prefix(20))")
      #expect(try Data(contentsOf: file) == Data(contents.utf8) && FolderLock.holder(in: path) == nil)
    }
    // A number is a part of a file's name.
    try leave(
      FolderLockHolder(host: "h", process: 1, since: "", start: 0, boot: "", table: "", number: "../../../../up-x"),
      age: 999)
    #expect(refusal().contains("damaged"))
    try FileManager.default.removeItem(at: file)
    for target in [other.path, folder.path("nothing")] {
      try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: target)
      #expect(refusal().contains("a link is there"))
      try FileManager.default.removeItem(at: file)
    }
    #expect(try Data(contentsOf: other) == Data("mine".utf8))
    #expect(mkfifo(file.path, 0o600) == 0)
    #expect(refusal().contains("not a regular file"))
    try FileManager.default.removeItem(at: file)
    try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
    #expect(refusal().contains(".lock: "))
    #expect(try names() == [".lock"])
  }

  /// Its process was killed between making it and writing it, or the power failed.
  @Test func anEmptyLockIsOneOfAProcessThatBegins() throws {
    try Data().write(to: file)
    #expect(refusal().contains("another process begins there now"))
    try setAge(310)
    var notes: [String] = []
    try FolderLock(path) { notes.append($0) }.release()
    #expect(notes.count == 1 && notes.first?.contains("killed as it began") == true)
    #expect(try names().isEmpty)
  }

  /// What a process left that was killed while it took another's lock over.
  @Test func anAbandonedTakeoverIsTakenOverToo() throws {
    let other = try leave(.elsewhere, age: 310)
    let claim = folder["run/.lock.\(other.number)"]
    try Data(FolderLockHolder.machine(process: getpid(), start: 5).bytes).write(to: claim)
    try FolderLock(path) { _ in }.release()
    #expect(try names().isEmpty)
  }

  /// What several threads get that begin together.
  private final class Contest: Sendable {
    let begun = Atomic<Int>(0)
    let locks = Mutex<[FolderLock]>([])

    func take(_ path: String, against count: Int) {
      begun.wrappingAdd(1, ordering: .sequentiallyConsistent)
      while begun.load(ordering: .sequentiallyConsistent) < count { sched_yield() }
      if let lock = try? FolderLock(path, note: { _ in }) { locks.withLock { $0.append(lock) } }
    }
  }

  @Test(arguments: [false, true]) func ofManyThatTakeOverAtOnceOneDoes(isElsewhere: Bool) async throws {
    for round in 0..<30 {
      try leave(isElsewhere ? .elsewhere : .machine(process: getpid(), start: 5), age: 310)
      let (contest, path, count) = (Contest(), path, 8)
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<count {
          group.addTask {
            await withCheckedContinuation { continuation in
              // Threads of their own: those that tasks share must not be blocked.
              Thread.detachNewThread {
                contest.take(path, against: count)
                continuation.resume()
              }
            }
          }
        }
      }
      #expect(contest.locks.withLock { $0.count } == 1, "round \(round)")
      #expect(FolderLock.holder(in: path)?.process == getpid())
      contest.locks.withLock { $0.forEach { $0.release() } }
      #expect(try names().isEmpty, "round \(round)")
    }
  }

  @Test func aLockIsRenewed() throws {
    let lock = try lock()
    try setAge(200)
    #expect(lock.renew())
    #expect(try abs(age()) < 10)
    lock.release()
    #expect(!lock.renew() && !FileManager.default.fileExists(atPath: file.path))
  }

  /// A process that was suspended for so long that another one took the folder over.
  @Test(arguments: [true, false]) func aLossIsNoticed(toAnother: Bool) throws {
    let lock = try lock()
    var events: [Int] = []
    let report = lock.guarding { events.append($0) }
    try report(1)
    if toAnother { try leave(.elsewhere) } else { try FileManager.default.removeItem(at: file) }
    #expect(!lock.renew())
    let error = #expect(throws: CheckpointError.self) { try report(2) }
    #expect(error?.description.contains(toAnother ? "node7, process 41, took it over" : "took it over") == true)
    #expect(events == [1])
    lock.release()
    #expect(FileManager.default.fileExists(atPath: file.path) == toAnother, "it is not this one's to remove")
  }

  @Test func aFileOfLinesThatAnotherWroteIsNotWrittenOver() throws {
    let lines = folder.path("lines")
    let file = try LineFile(path: lines, beginnings: ["{"]) { 0 }
    try file.append(["a": 1], synced: false)
    let other = try #require(FileHandle(forWritingAtPath: lines))
    try other.seekToEnd()
    try other.write(contentsOf: Data("{\"b\":2}\n".utf8))
    #expect(throws: CheckpointError.self) { try file.append(["a": 3], synced: false) }
    #expect(try String(contentsOfFile: lines, encoding: .utf8) == "{\"a\":1}\n{\"b\":2}\n")
  }

  private static func start(of process: pid_t) -> UInt64 {
    let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    return text.split(separator: ")").last?.split(separator: " ").dropFirst(19).first.flatMap { UInt64($0) } ?? 0
  }
}

extension FolderLockHolder {
  /// A process of this machine.
  fileprivate static func machine(process: pid_t, start: UInt64) -> FolderLockHolder {
    let own = current()
    return FolderLockHolder(
      host: own.host, process: process, since: own.since, start: start, boot: own.boot, table: own.table,
      number: own.number)
  }

  fileprivate static var elsewhere: FolderLockHolder {
    FolderLockHolder(
      host: "node7", process: 41, since: "2026-01-02T03:04:05Z", start: 7, boot: "another", table: "pid:[4026531836]",
      number: "00112233445566ff")
  }

  fileprivate func inContainer() -> FolderLockHolder {
    FolderLockHolder(
      host: host, process: process, since: since, start: start, boot: boot, table: "pid:[1]", number: number)
  }
}
