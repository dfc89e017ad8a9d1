import Evaluation
import Foundation
import Inference
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

  /// Windows of text that the model itself writes, each from a common word on: no model predicts them better.
  private func written(_ count: Int, seed: UInt64) throws -> [[Int32]] {
    let tokenizer = try Tokenizer(path: Self.posy + "/model")
    let model = try Model(path: Self.posy + "/model")
    var windows: [[Int32]] = []
    for attempt in 0..<UInt64(20 * count) where windows.count < count {
      var sampler = Sampler(temperature: 1, topP: 1, seed: seed << 32 | attempt)
      let word = Self.words[Int(attempt) % Self.words.count]
      var window = [try #require(try tokenizer.encode(" " + word, addSpecialTokens: false).last)]
      var continuation = Continuation(model, capacity: Self.context)
      while window.count < Self.context {
        window.append(sampler.next(try continuation.append([window[window.count - 1]])))
      }
      // Only those that are read back as the same tokens, after those before.
      let tokens = (windows + [window]).joined()
      if try read(text(of: windows + [window])).elementsEqual(tokens.dropFirst()) { windows.append(window) }
    }
    return windows
  }

  /// The token that begins every text takes the place of the first window's first.
  private func text(of windows: [[Int32]]) throws -> String {
    try Tokenizer(path: Self.posy + "/model").decode(windows.joined().dropFirst())
  }

  private func read(_ text: String) throws -> ArraySlice<Int32> {
    try Tokenizer(path: Self.posy + "/model").encode(text).dropFirst()
  }

  private func write(_ name: String, _ windows: [[Int32]]) throws -> String {
    let path = folder.appending(path: name).path
    try Data(text(of: windows).utf8).write(to: URL(filePath: path))
    return path
  }

  /// With so little caution that filters do all they can for the windows that make them.
  private func search(_ windows: [[String]], heldOut: [[String]]) throws -> SearchOutcome {
    defer { try? FileManager.default.removeItem(at: folder) }
    return try search(write("search.txt", windows), heldOut: write("heldout.txt", heldOut)) { settings in
      settings.layers = IndexList("5") ?? .all
      settings.roles = [.w1, .w2]
      (settings.filter, settings.damping) = (.reweight, 0.5)
    }
  }

  private func search(
    _ text: String, heldOut: String, _ set: (inout SearchSettings) -> Void
  ) throws -> SearchOutcome {
    var settings = SearchSettings()
    settings.model = Self.posy + "/model"
    (settings.text, settings.heldOut) = ([text], [heldOut])
    settings.context = Self.context
    set(&settings)
    let search = try Search(settings, program: "test")
    return try #require(try search.run(in: folder.appending(path: "run").path, memory: 1 << 32) { _ in })
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

  /// Text by the model itself is predicted as well as can be: all that seems to help is noise, and nothing is kept.
  @Test(arguments: [FilterKind.shrink, .reweight]) func ofPureNoiseNothingIsKept(filter: FilterKind) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let seed: UInt64 = filter == .shrink ? 1 : 2
    let (windows, heldOut) = (try written(48, seed: seed), try written(8, seed: seed + 10))
    try #require(windows.count == 48 && heldOut.count == 8)
    let outcome = try search(write("search.txt", windows), heldOut: write("heldout.txt", heldOut)) {
      $0.filter = filter
    }
    #expect(outcome.header.inputs.text.map(\.windows) == [48])
    #expect(outcome.rungs.count { !$0.isAlternative } > 6)
    #expect(outcome.kept.isEmpty && outcome.verdict == .nothingKept)
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
