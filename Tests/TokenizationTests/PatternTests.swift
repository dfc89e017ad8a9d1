import Testing
import Tokenization

/// The engine for regular expressions: what Oniguruma's would match, and what it refuses. Expected values are those of
/// Hugging Face tokenizers.
struct PatternTests {
  /// The matches as text.
  private func matches(_ expression: String, _ text: String) throws -> [String] {
    let bytes = Array(text.utf8)
    return try Pattern(expression).matches(in: text).map { String(decoding: bytes[$0], as: UTF8.self) }
  }

  @Test func orderOfAlternatives() throws {
    #expect(try matches("a|ab", "ab") == ["a"])
    #expect(try matches("(?:a|ab)(?:c|bcd)", "abcd") == ["abcd"])
    #expect(try matches("(?:a|ab)(?:c|bcd)$", "abc") == ["abc"])
    #expect(try matches("x|", "axb") == ["", "x", ""])
    let many = (0..<200).map { "w\($0)e" }.joined(separator: "|")
    #expect(try matches(many, "w7e w150e w199e w200e") == ["w7e", "w150e", "w199e"])
  }

  @Test func repeats() throws {
    #expect(try matches("a*b|a", "aaab aa") == ["aaab", "a", "a"])
    #expect(try matches("a+?", "aa") == ["a", "a"])
    #expect(try matches("a+?b", "aab") == ["aab"])
    #expect(try matches("<.+?>", "<a><b>") == ["<a>", "<b>"])
    #expect(try matches("a??b", "ab") == ["ab"])
    #expect(try matches("a{2}", "aaaaa") == ["aa", "aa"])
    #expect(try matches("a{2,}", "a aaaaa") == ["aaaaa"])
    #expect(try matches("a{,2}b", "aaab") == ["aab"])
    #expect(try matches(#"\d{1,3}"#, "1234567") == ["123", "456", "7"])
    #expect(try matches(#"\d{1,3}?"#, "123") == ["1", "2", "3"])
    #expect(try matches("(?:ab){2,3}", "abababab ab") == ["ababab"])
    #expect(try matches("(?:ab)*c|b", "ababc ab") == ["ababc", "b"])
    #expect(try matches("(?:ab?)+", "aababb") == ["aabab"])
    #expect(try matches("(?:ab|c)+?d", "abcd") == ["abcd"])
    #expect(try matches("a{0}b{", "b{") == ["b{"])
    // A possessive repeat gives nothing back.
    #expect(try matches("a*+a", "aaa") == [])
    #expect(try matches(#"\s*+\n"#, "  \n") == [])
    #expect(try matches("a?+ab", "ab aab") == ["aab"])
    #expect(try matches("(?:ab)*+ab", "abab") == [])
    #expect(try matches("(?>a|ab)c", "abc ac") == ["ac"])
  }

  /// A greedy run that cannot give back is recognised, one that must is not.
  @Test func givingBack() throws {
    #expect(try matches(#"\s+(?!\S)|\s+"#, "a   b ") == ["  ", " ", " "])
    #expect(try matches(#"\s*[\r\n]+|x"#, " \n \n  x") == [" \n \n", "x"])
    #expect(try matches("[ab]*b", "aabab") == ["aabab"])
    #expect(try matches("[ab]*[bc]*c", "abbc") == ["abbc"])
    #expect(try matches("[^x]*é", "aébéc") == ["aébé"])
    #expect(try matches(#"[^\r\n\p{L}\p{N}]?\p{L}+"#, " a !b c") == [" a", "!b", " c"])
  }

  @Test func looks() throws {
    #expect(try matches(#"\d+(?=a)|b"#, "12a 3b") == ["12", "b"])
    #expect(try matches("a(?!b)", "ab ac a") == ["a", "a"])
    #expect(try matches("(?=ab|c).", "abc") == ["a", "c"])
    #expect(try matches("(?!ab|c).", "abcd") == ["b", "d"])
    #expect(try matches(#"(?<=\d)a|(?<!\w)b"#, "1a a b ab") == ["a", "b"])
    #expect(try matches(#"\d{1,3}(?=(?:\d{3})*\b)"#, "1234567 12") == ["1", "234", "567", "12"])
    #expect(try Pattern(#"(?=(\d{3})+(?!\d))"#).matches(in: "1234567") == [1..<1, 4..<4])
  }

  @Test func anchors() throws {
    #expect(try matches("^a", "a\na\n") == ["a", "a"])
    #expect(try matches(#"\Aa|a\z"#, "a\naa") == ["a", "a"])
    #expect(try Pattern("^").matches(in: "a\n") == [0..<0])
    #expect(try Pattern("$").matches(in: "a\n") == [1..<1, 2..<2])
    #expect(try Pattern(#"\Z"#).matches(in: "a\n\n") == [2..<2, 3..<3])
    #expect(try matches(#"\s+$"#, "a  \n b  ") == ["  ", "  "])
    #expect(try matches(#"\bx"#, "x axe x") == ["x", "x"])
  }

  /// Matches of nothing are found once at each place, and the search goes on.
  @Test func emptyMatches() throws {
    #expect(try Pattern("x*").matches(in: "axxb") == [0..<0, 1..<3, 4..<4])
    #expect(try Pattern("").matches(in: "é") == [0..<0, 2..<2])
    #expect(try Pattern("(?=a)").matches(in: "bab") == [1..<1])
    #expect(try Pattern("").matches(in: "") == [0..<0])
  }

  @Test func characters() throws {
    #expect(try matches(#"[\p{Lu}\p{Lt}]"#, "aÀǅЯ1") == ["À", "ǅ", "Я"])
    #expect(try matches(#"\P{L}|\p{^L}"#, "a1é") == ["1"])
    #expect(try matches("[一-龥]+", "a漢字b龥龦") == ["漢字", "龥"])
    #expect(try matches(#"[\p{L}&&[^\p{Han}]]+"#, "ab漢c") == ["ab", "c"])
    #expect(try matches(#"[a-z&&[^aeiou]&&[^xyz]]"#, "hexad") == ["h", "d"])
    #expect(try matches(#"[^(\s|[.,]x)]+"#, "a(b|c.d[e]x") == ["a", "b", "c", "d[e]"])
    #expect(try matches(#"[\[\]\-\\^]+"#, #"a[-]\^b"#) == [#"[-]\^"#])
    #expect(try matches("[-a][a-]", "a--b") == ["a-"])
    #expect(try matches(#"\x{41}\x42\u0043\t"#, "ABC\t") == ["ABC\t"])
    #expect(try matches(#"\p{Han}\x{20000}"#, "漢\u{20000}") == ["漢\u{20000}"])
    #expect(try matches(#"\h+\H"#, "afg") == ["afg"])
    #expect(try matches(".", "\n\r").count == 1)
    #expect(try matches(#"\w"#, "²é_ -").count == 3)
    #expect(try matches(#"[\w]"#, "²é_ -").count == 2)
  }

  @Test func lettersOfEitherCase() throws {
    #expect(try matches("(?i:'s|'ll|k)|x", "'S 'ſ 'lL \u{212A} X") == ["'S", "'ſ", "'lL", "\u{212A}"])
    #expect(try matches("(?i:[^k-m])", "kKm\u{212A}n") == ["n"])
    #expect(try matches("(?i:a(?-i:b)c)", "AbC ABC") == ["AbC"])
  }

  @Test(arguments: [
    (#"(a)\1"#, #"the escape '\1'"#), ("(?<name>a)", "'(?<n'"), ("(?i)a", "'(?i)'"), ("(?<=ab)c", "look behind"),
    (#"\R"#, #"the escape '\R'"#), (#"\p{Greek}"#, #"the property \p{Greek}"#), (#"\p{L"#, "no end"),
    (#"\xE9"#, #"the escape '\xE9'"#), (#"\u12"#, #"'\u12'"#), (#"\x{D800}"#, "no character"), ("[[:alpha:]]", "'[:'"),
    ("[]a]", "']'"), ("[a", "no end"), ("[]", "empty"), (#"[\w-x]"#, "'-'"), ("[z-a]", "range"), ("[a&&]", "'&&'"),
    ("a**", "a repeat of a repeat"), ("a{2}+", "'+'"), ("a{2}?", "'?'"), ("a{3,2}", "descending"),
    ("(?:a?)*", "may be empty"), ("(?=a)*", "a repeat of a condition"), ("*a", "nothing to repeat"), ("(a", "')'"),
    ("a)", "'('"), ("(?i:straße)", "'st'"), ("(?i:é)", "beyond ASCII"), (#"(?i:\w)"#, "beyond ASCII"),
    ("a{1001}", "1000"), ("(?:ab){1000}", "1024"), (#"\"#, "no end"),
    (String(repeating: "(", count: 40) + String(repeating: ")", count: 40), "32"),
    (String(repeating: "a", count: 5000), "4096"),
    ((0..<200).map { "[a\\x{\(String(0x400 + $0, radix: 16))}]b" }.joined(), "128"),
  ])
  func refusals(_ expression: String, _ part: String) {
    let error = #expect(throws: PatternError.self) { try Pattern(expression) }
    #expect(error?.problem.contains(part) == true, "\(error?.problem ?? "")")
  }

  /// Expressions made to take forever end after a number of steps, which does not depend on the machine.
  @Test(arguments: ["(?:a|a)*b", "(?:a+)+b", "(?:a+?)+b", "a*a*a*a*a*a*b", "(?:(?=a*b)a|a)*c", "(?:a|aa)+$(?<=x)"])
  func hostileExpressions(_ expression: String) throws {
    let text = String(repeating: "a", count: 3000)
    let pattern = try Pattern(expression)
    let error = #expect(throws: PatternError.self) { try pattern.matches(in: text, steps: 100_000) }
    #expect(error?.problem.contains("backtracking") == true)
  }

  /// Matches that each look far ahead add up.
  @Test func looksThatAddUp() throws {
    let pattern = try Pattern(#"\d{1,3}(?=(?:\d{3})*\b)"#)
    let digits = String(repeating: "1", count: 3000)
    #expect(throws: PatternError.self) { try pattern.matches(in: digits, steps: 100_000) }
    #expect(try pattern.matches(in: digits).count == 1000)
  }

  /// What files have stays far below that, on any text.
  @Test func ordinaryExpressionsTakeFewSteps() throws {
    let gpt2 = try Pattern(#"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#)
    for text in [" ", "a", "1", "\n", "!", "'", "é", "a ", " \n", "'s"] {
      let long = String(repeating: text, count: 10_000)
      #expect(try !gpt2.matches(in: long, steps: 20 * long.utf8.count).isEmpty)
    }
  }
}
