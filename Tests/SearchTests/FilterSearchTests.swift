import Evaluation
import Foundation
import Models
import RankReduction
import Search
import Tensors
import Testing
import Tokenization

/// Filters that one half of the text makes must hold on the other half.
@Suite struct FilterSearchTests {
  private static let posy = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/runs/posy"
  private static let context = 32
  /// Each one token, whatever stands beside it.
  private static let words = ["the", "and", "of", "to", "in", "a", "that", "he"]

  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "laser-filters-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// A text whose windows are given as words.
  private func write(_ name: String, _ windows: [[String]]) throws -> String {
    let path = folder.appending(path: name).path
    try Data(windows.flatMap(\.self).joined(separator: " ").utf8).write(to: URL(filePath: path))
    let corpus = try Corpus(file: path, tokenizer: Tokenizer(path: Self.posy + "/model"))
    try #require(corpus.tokens.count == windows.count * Self.context, "a word is not one token")
    return path
  }

  private func repeated(_ count: Int) -> [[String]] {
    (0..<count).map { _ in Array(repeating: "the", count: Self.context) }
  }

  private func mixed(_ count: Int, seed: UInt64) -> [[String]] {
    var generator = SplitMix64(seed: seed)
    return (0..<count).map { _ in
      (0..<Self.context).map { _ in Self.words[Int.random(in: 0..<Self.words.count, using: &generator)] }
    }
  }

  private func search(_ windows: [[String]], heldOut: [[String]]) throws -> SearchOutcome {
    defer { try? FileManager.default.removeItem(at: folder) }
    var settings = SearchSettings()
    settings.model = Self.posy + "/model"
    settings.text = [try write("search.txt", windows)]
    settings.heldOut = [try write("heldout.txt", heldOut)]
    settings.context = Self.context
    settings.layers = try #require(IndexList("5"))
    settings.roles = [.w1, .w2]
    let search = try Search(settings, program: "test")
    return try search.run(in: folder.appending(path: "run").path, memory: 1 << 32) { _ in }
  }

  /// What helps only the windows that made the filters, one word over and over, is found out on the others.
  @Test func whatHelpsOnlyTheFittingWindowsIsRejected() throws {
    let pairs = zip(repeated(24), mixed(24, seed: 1)).flatMap { [$0, $1] }
    let outcome = try search(pairs, heldOut: mixed(8, seed: 2))
    #expect(!outcome.rungs.isEmpty && outcome.kept.isEmpty)
    #expect(outcome.verdict == .nothingKept)
    #expect(outcome.rungs.allSatisfy { !$0.passes || $0.isAlternative })
  }

  /// The same word in all windows is worth learning.
  @Test func whatHelpsBothHalvesIsKept() throws {
    let windows = zip(repeated(24), repeated(24)).flatMap { [$0, $1] }.enumerated().map { index, window in
      // No two windows are quite the same.
      window.dropLast() + [Self.words[1 + index % 7]]
    }
    let outcome = try search(
      windows, heldOut: repeated(8).enumerated().map { $1.dropLast() + [Self.words[1 + $0 % 7]] })
    #expect(!outcome.kept.isEmpty && outcome.heldOut.delta.mean < 0)
  }
}
