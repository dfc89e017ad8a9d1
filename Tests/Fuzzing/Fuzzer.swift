import Checkpoints
import Foundation

/// Feeds a parser with damaged files. A file that ends in a new way (taken, or refused with words not seen yet) joins
/// the corpus, so that later damage builds on it.
package struct Fuzzer {
  package let target: FuzzTarget
  /// Where the file of the moment lies: after a crash, the one to blame.
  package let path: String
  private var mutator: Mutator
  private var corpus: [[UInt8]]
  /// Descriptions of files, of a target that has such.
  private var descriptions: [JSON]
  private var endings: Set<String> = []

  package private(set) var runs = 0
  package private(set) var accepted = 0
  /// The most processor time of its thread that a file took: what others do on the machine counts for nothing.
  package private(set) var slowest = Duration.zero

  package static let maximumCorpus = 2048

  package init(_ target: FuzzTarget, path: String, seed: UInt64) {
    self.target = target
    self.path = path
    mutator = Mutator(seed: seed, pieces: target.pieces)
    descriptions = target.structure?.seeds ?? []
    // What is only described has files all the same.
    corpus = target.seeds.isEmpty ? descriptions.compactMap { target.structure?.encode($0) } : target.seeds
  }

  package var corpusCount: Int { corpus.count + descriptions.count }

  /// Of this thread.
  private static var processorTime: Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  package mutating func runOnce() throws {
    // Two of three keep their structure.
    let description = target.structure != nil && runs % 3 > 0 ? mutator.mutated(descriptions) : nil
    let bytes = description.flatMap { target.structure?.encode($0) } ?? mutator.mutated(corpus)
    try Data(bytes).write(to: URL(filePath: path))
    let start = Self.processorTime
    let ending = target.run(bytes, path)
    slowest = max(slowest, Self.processorTime - start)
    runs += 1
    let words: String
    switch ending {
    case .taken(let make):
      accepted += 1
      words = "taken " + make
    case .refused(let problem):
      // Without the numbers in it, what it quotes, and the names that follow.
      let plain = problem.prefix { $0 != "'" && $0 != "\"" }
      words = String((plain.isEmpty ? problem[...] : plain).filter { !$0.isNumber }.prefix(40))
    }
    guard endings.insert(words).inserted, corpusCount < Self.maximumCorpus else { return }
    guard let description else { return corpus.append(bytes) }
    // One that is refused leads to others that are; and not all of a description need be in the file.
    if case .taken = ending, description.compact.utf8.count <= Mutator.maximumLength {
      descriptions.append(description)
    }
  }
}
