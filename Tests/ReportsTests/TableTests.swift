import Reports
import Testing

struct TableTests {
  @Test func longNamesGiveWayToNumbers() {
    var table = Table(["text", "tokens", "perplexity"])
    table.append(["a/very/long/path/" + String(repeating: "x", count: 90) + "/tales.search.txt", "28 392", "39.1632"])
    table.append(["short.txt", "1", "2"])
    let lines = table.plain.split(separator: "\n").map(String.init)
    #expect(lines.allSatisfy { $0.count <= 80 })
    #expect(lines[1].contains("…") && lines[1].contains("search.txt") && lines[1].hasSuffix("28 392     39.1632"))
    #expect(lines[2].hasPrefix("  short.txt"))
    #expect(table.plain(columns: 200).contains("xxxx/tales.search.txt"))
    // Never so short that a name says nothing, and never a number.
    #expect(table.plain(columns: 10).split(separator: "\n")[1].hasSuffix("28 392     39.1632"))
  }

  @Test func wideCharactersTakeTwoColumns() {
    #expect(terminalWidth("abc") == 3)
    #expect(terminalWidth("漢字") == 4)
    #expect(terminalWidth("e\u{301}") == 1)
    #expect(terminalWidth("👩‍🔬") == 2)
    #expect(terminalWidth("σ₁ ± −") == 6)
    var table = Table(["名前", "n"])
    table.append(["漢字.txt", "1"])
    table.append(["a", "22"])
    #expect(table.plain == "  名前       n\n  漢字.txt   1\n  a         22")
  }

  @Test func shorteningKeepsBothEnds() {
    #expect(shortened("abcdefgh", to: 8) == "abcdefgh")
    #expect(shortened("abcdefgh", to: 5) == "ab…gh")
    #expect(shortened("漢字漢字漢字", to: 6) == "漢…字")
    #expect(shortened("abc", to: 1) == "…")
    for columns in 0..<12 { #expect(terminalWidth(shortened("a漢b字c漢d字", to: columns)) <= columns) }
  }

  @Test func controlCharactersStayOffTheTerminal() {
    var table = Table(["a"])
    table.append(["x\u{1B}[31m\ny"])
    #expect(table.plain == "  a\n  x\u{FFFD}[31m\u{FFFD}y")
  }
}
