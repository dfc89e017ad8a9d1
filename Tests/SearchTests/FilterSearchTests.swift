import Evaluation
import Foundation
import Models
import RankReduction
import Search
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

  /// A text whose windows are given as words; the first one's first word gives way to the token that begins every text.
  private func write(_ name: String, _ windows: [[String]]) throws -> String {
    let path = folder.appending(path: name).path
    try Data(windows.flatMap(\.self).dropFirst().joined(separator: " ").utf8).write(to: URL(filePath: path))
    let corpus = try Corpus(file: path, tokenizer: Tokenizer(path: Self.posy + "/model"))
    try #require(corpus.tokens.count == windows.count * Self.context, "a word is not one token")
    return path
  }

  private func repeated(_ count: Int) -> [[String]] {
    (0..<count).map { _ in Array(repeating: "the", count: Self.context) }
  }

  /// Windows of a tale's words; what a word would have too many tokens for is filled up with "the".
  private func prose(_ count: Int) throws -> [[String]] {
    let tokenizer = try Tokenizer(path: Self.posy + "/model")
    let text = try String(contentsOfFile: Self.posy + "/text/tales.search.txt", encoding: .utf8)
    var windows: [[String]] = [[]]
    var left = Self.context
    for word in text.split(whereSeparator: \.isWhitespace).map(String.init) {
      let tokens = try tokenizer.encode(word, addSpecialTokens: false).count
      let fits = tokens <= left
      windows[windows.count - 1] += fits ? [word] : Array(repeating: "the", count: left)
      left = fits ? left - tokens : 0
      guard left == 0 else { continue }
      if windows.count == count { return windows }
      windows.append([])
      left = Self.context
    }
    return []
  }

  /// With so little caution that filters do all they can for the windows that make them.
  private func search(_ windows: [[String]], heldOut: [[String]]) throws -> SearchOutcome {
    defer { try? FileManager.default.removeItem(at: folder) }
    var settings = SearchSettings()
    settings.model = Self.posy + "/model"
    settings.text = [try write("search.txt", windows)]
    settings.heldOut = [try write("heldout.txt", heldOut)]
    settings.context = Self.context
    settings.layers = try #require(IndexList("5"))
    settings.roles = [.w1, .w2]
    (settings.filter, settings.damping) = (.reweight, 0.5)
    let search = try Search(settings, program: "test")
    return try search.run(in: folder.appending(path: "run").path, memory: 1 << 32) { _ in }
  }

  /// What helps only the windows that made the filters, one word over and over, is found out on the others.
  @Test func whatHelpsOnlyTheFittingWindowsIsRejected() throws {
    let prose = try prose(32)
    try #require(prose.count == 32)
    let pairs = zip(repeated(24), prose.prefix(24)).flatMap { [$0, $1] }
    let outcome = try search(pairs, heldOut: Array(prose.suffix(8)))
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
