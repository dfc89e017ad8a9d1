import Checkpoints
import Testing

/// The reader takes RFC 8259 and nothing else, and says where something is wrong.
struct JSONTests {
  private func parse(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }

  @Test func values() throws {
    let json = try parse(#" { "a" : [ 1 , -2.5 , 1e3, true , false , null ] , "b":{}, "c":[], "d": "x" } "#)
    let array = try #require(json["a"]?.array)
    #expect(array.map(\.number) == [1, -2.5, 1000, nil, nil, nil])
    #expect(array.map(\.integer) == [1, nil, 1000, nil, nil, nil])
    #expect(array.map(\.boolean) == [nil, nil, nil, true, false, nil])
    #expect(array.map(\.isNull) == [false, false, false, false, false, true])
    #expect(json["b"]?.members?.isEmpty == true)
    #expect(json["c"]?.array?.isEmpty == true)
    #expect(json["d"]?.string == "x")
    #expect(json["e"] == nil)
    #expect(json.members?.map(\.key) == ["a", "b", "c", "d"])
  }

  @Test(arguments: [
    ("0", 0.0), ("-0", 0), ("0.1", 0.1), ("-1.5E-3", -0.0015),
    ("1e+2", 100), ("9223372036854775808", 9_223_372_036_854_775_808),
    ("4.9406564584124654e-324", .leastNonzeroMagnitude),
  ])
  func numbers(_ text: String, _ value: Double) throws {
    #expect(try parse(text).number == value)
  }

  @Test func integersAreExact() throws {
    #expect(try parse("9223372036854775807").integer == .max)
    #expect(try parse("-9223372036854775808").integer == .min)
    #expect(try parse("9223372036854775808").integer == nil)
    #expect(try parse("2.0").integer == 2)
  }

  @Test(arguments: [
    (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"), (#""\ud83d\uDE00""#, "😀"),
    (#""\udbff\udfff""#, "\u{10FFFF}"), (#""\u0000""#, "\0"), (#""é€😀\n""#, "é€😀\n"), (#""""#, ""),
  ])
  func strings(_ text: String, _ value: String) throws {
    let string = try #require(try parse(text).string)
    #expect(Array(string.utf8) == Array(value.utf8))
  }

  /// Each with the byte at which the error is.
  @Test(arguments: [
    ("", 0), ("  ", 2), ("nul", 0), ("nullx", 4), ("[1,]", 3), ("[1 2]", 3), ("[", 1), ("{", 1), (#"{"a"}"#, 4),
    (#"{"a":1,}"#, 7), ("{a:1}", 1), (#"{"a" 1}"#, 5), ("1 2", 2), ("01", 1), ("-", 1), ("1.", 2), (".5", 0), ("1e", 2),
    ("+1", 0), ("NaN", 0), ("Infinity", 0), ("'a'", 0), (#" "a"#, 1), (#""\n"#, 0), (#""\x""#, 1), (#""\u12g4""#, 5),
    ("\"a\nb\"", 2), ("\"\\n\u{1}\"", 3), ("[1]]", 3), ("\u{FEFF}1", 0), ("1//", 1), (#""\"#, 2),
  ])
  func syntaxErrors(_ text: String, _ offset: Int) {
    let error = #expect(throws: JSON.SyntaxError.self) { try parse(text) }
    #expect(error?.offset == offset, "\(text): \(error?.description ?? "")")
    #expect(error?.description.contains("byte \(offset)") == true)
  }

  /// Half of a pair is no character; each at the byte of its backslash.
  @Test(arguments: [
    #" "\ud800""#, #" "\udc00""#, #" "\ud800\u0041""#, #" "\ud800\ud800""#, #" "\ud800x""#, #" "\ud800\n""#,
  ])
  func lonelySurrogates(_ text: String) {
    let error = #expect(throws: JSON.SyntaxError.self) { try parse(text) }
    #expect(error?.offset == 2)
    #expect(error?.problem.contains("surrogate") == true)
  }

  @Test(arguments: [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]] as [[UInt8]])
  func stringsThatAreNotUTF8(_ bytes: [UInt8]) {
    for escape in [[], Array(#"\n"#.utf8)] {
      let quote = UInt8(ascii: "\"")
      #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: [quote] + escape + bytes + [quote]) }
    }
  }

  @Test func nesting() throws {
    func nested(_ depth: Int, _ open: String, _ close: String) -> String {
      String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
    }
    let limit = JSON.maximumDepth
    for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
      _ = try parse(nested(limit, open, close))
      #expect(throws: JSON.SyntaxError.self) { try parse(nested(limit + 1, open, close)) }
    }
    // Deep enough to end a recursive reader's stack.
    let error = #expect(throws: JSON.SyntaxError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
    #expect(error?.problem.contains("\(limit)") == true)
  }

  @Test func repeatedKeys() throws {
    let error = #expect(throws: JSON.SyntaxError.self) { try parse(#"[{"b": 1, "a": 2, "b": 3}]"#) }
    #expect(error?.offset == 1)
    #expect(error?.problem.contains("\"b\"") == true)
    // An escape makes no other key.
    #expect(throws: JSON.SyntaxError.self) { try parse(#"{"a": 1, "\u0061": 2}"#) }
    #expect(try parse(#"[{"a": 1}, {"a": 2}]"#).array?.count == 2)
  }

  /// Swift's == calls these two keys equal; a vocabulary has both.
  @Test func canonicallyEquivalentKeysStayApart() throws {
    let (composed, decomposed) = ("\u{E9}", "e\u{301}")
    #expect(composed == decomposed)
    let json = try parse(#"{"\#(composed)": 1, "\#(decomposed)": 2}"#)
    #expect(json.members?.count == 2)
    #expect(json[composed]?.integer == 1)
    #expect(json[decomposed]?.integer == 2)
  }
}
