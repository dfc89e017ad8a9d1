import CheckpointFixtures
import Foundation
import Reports
import Testing

/// What people see: one line of progress that fits, and texts whose words are whole.
struct TerminalTests {
  private let workshop: Workshop

  init() throws { workshop = try Workshop() }

  private static let ranks = (1...15).reversed().map(String.init).joined(separator: ",")

  /// A terminal, as far as `laser` uses one: lines, and one that is written again from its beginning.
  private struct Screen {
    var lines: [String] = []
    var current = ""
    /// The widest that a line of progress was at any time.
    var widest = 0
    /// How often the line was begun again.
    var restarts = 0

    init(_ text: String) {
      var characters = Array(text.unicodeScalars)[...]
      while let scalar = characters.popFirst() {
        switch scalar {
        case "\r": current = characters.first == "\n" ? current : ""
        case "\n":
          lines.append(current)
          current = ""
        case "\u{1B}":
          let command = characters.prefix { !("A"..."z").contains($0) || $0 == "[" }
          characters = characters.dropFirst(command.count)
          if characters.popFirst() == "K" { restarts += 1 }
        default: current.unicodeScalars.append(scalar)
        }
        if current.contains("█") || current.contains("░") { widest = max(widest, terminalWidth(current)) }
      }
    }
  }

  @Test(arguments: [200, 80, 60, 30])
  func progressIsOneLine(columns: UInt16) async throws {
    let run = try await laserOnTerminal(
      workshop.search(out: "run", ranks: Self.ranks, more: ["--no-color"]), columns: columns)
    #expect(run.status == 0, "\(run.text)")
    let screen = Screen(run.text)
    // No line of progress fills the terminal, which would make a second one of it; and none is left.
    #expect(0 < screen.widest && screen.widest < columns, "\(screen.widest)")
    #expect(screen.restarts > 3, "\(run.text)")
    #expect(screen.current.isEmpty && !screen.lines.contains { $0.contains("%") && $0.contains("left") })
    #expect(!screen.lines.contains { $0.contains("█") || $0.contains("Trials") }, "\(screen.lines)")
    if columns >= 60 { #expect(run.text.contains("kept")) }
  }

  /// A search whose result is the original has less to confirm.
  @Test func nothingKept() async throws {
    var search = workshop.search(out: "run", ranks: "15")
    let place = try #require(search.firstIndex(of: "--confidence"))
    search[place + 1] = "0.999999"
    let run = try await laserOnTerminal(search + ["--no-color"], columns: 80)
    #expect(run.status == 0 && run.text.contains("Nothing holds"), "\(run.text)")
  }

  /// The same words in the same order, whatever the width.
  @Test func textsAreBrokenBetweenWords() async throws {
    try await laserSucceeds(workshop.search(out: "run"))
    let report = ["report", workshop.folder.path("run"), "--no-color"]
    let plain = try await laserSucceeds(report).output
    func words(_ text: String) -> [String] { text.split(whereSeparator: \.isWhitespace).map(String.init) }
    for columns: UInt16 in [60, 80, 120] {
      let run = try await laserOnTerminal(report, columns: columns)
      #expect(run.status == 0)
      #expect(words(run.text) == words(plain), "\(columns)")
      // Names of files and rows of tables stay whole.
      for line in Screen(run.text).lines where terminalWidth(line) > columns {
        #expect(words(line).count == 1 || line.contains("±"), "\(line)")
      }
    }
  }
}
