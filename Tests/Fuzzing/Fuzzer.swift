import Checkpoints
import Foundation

/// Feeds a parser with damaged files. A file that ends in a new way (taken, or refused with words not seen yet) joins the
/// corpus, so that later damage builds on it.
package struct Fuzzer {
  package let target: FuzzTarget
  /// Where the file of the moment lies: after a crash, the one to blame.
  package let path: String
  private var mutator: Mutator
  private var corpus: [[UInt8]]
  private var endings: Set<String> = []

  package private(set) var runs = 0
  package private(set) var accepted = 0
  package private(set) var slowest = Duration.zero

  package static let maximumCorpus = 2048

  package init(_ target: FuzzTarget, path: String, seed: UInt64) {
    self.target = target
    self.path = path
    mutator = Mutator(seed: seed, pieces: target.pieces)
    corpus = target.seeds
  }

  package var corpusCount: Int { corpus.count }

  package mutating func runOnce() throws {
    let bytes = mutator.mutated(corpus)
    try Data(bytes).write(to: URL(filePath: path))
    let clock = ContinuousClock()
    let start = clock.now
    let ending = target.run(bytes, path)
    slowest = max(slowest, clock.now - start)
    runs += 1
    let words: String
    switch ending {
    case .taken(let make):
      accepted += 1
      words = "taken " + make
    case .refused(let problem):
      // Without the numbers in it, and the names that follow.
      words = String(problem.filter { !$0.isNumber }.prefix(40))
    }
    if endings.insert(words).inserted, corpus.count < Self.maximumCorpus { corpus.append(bytes) }
  }
}
