import ChatTemplates
import Checkpoints
import Foundation
import Testing
import Tokenization

/// Templates of chats, held to Jinja's own texts (Fixtures/make.py).
struct ChatTemplateTests {
  private struct Recorded: Decodable {
    let templates: [Template]

    struct Template: Decodable {
      let template: String
      /// Nil for an error.
      let text: String?
    }
  }

  private static let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "Fixtures/templates.json")

  private static func messages() throws -> [JSON] {
    try #require(JSON(parsing: Array(Data(contentsOf: file)))["messages"]?.array)
  }

  private func text(
    _ template: String, _ messages: [JSON], promptsAnswer: Bool = false
  ) throws(TemplateError) -> String {
    try ChatTemplate(ChatTemplateSource(template: template, tokens: [("bos_token", "<s>")]))
      .text(of: messages, promptsAnswer: promptsAnswer)
  }

  private func messages(_ text: String) throws -> [JSON] { try #require(JSON(parsing: Array(text.utf8)).array) }

  @Test func textsAreJinjas() throws {
    let recorded = try JSONDecoder().decode(Recorded.self, from: Data(contentsOf: Self.file))
    #expect(recorded.templates.count > 60)
    let messages = try Self.messages()
    for template in recorded.templates {
      let found: String?
      do throws(TemplateError) { found = try text(template.template, messages) } catch {
        found = nil
        #expect(template.text == nil, "\(template.template)\n\(error)")
      }
      #expect(found.map { Array($0.utf8) } == template.text.map { Array($0.utf8) }, "\(template.template)")
    }
  }

  @Test func anAnswerIsPrompted() throws {
    let chat = try messages(#"[{"role":"user","content":"Hi","name":null}]"#)
    let template =
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ m.name is defined }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    #expect(try text(template, chat, promptsAnswer: true) == "<|user|>HiFalse<|assistant|>")
    #expect(try text(template, chat) == "<|user|>HiFalse")
  }

  /// What a template does not come to does not matter.
  @Test func whatIsNotReachedIsNotRefused() throws {
    #expect(try text("{% if false %}{{ 'x' | fancy }}{{ 1 is fancy(2) }}{{ f(1) }}{% endif %}ok", []) == "ok")
  }

  /// By its newest name and those before it.
  @Test func reasoningHasSeveralNames() throws {
    let chat = try messages(#"[{"role":"assistant","content":"4","reasoning":"2 and 2"}]"#)
    #expect(try text("{{ messages[0].reasoning_content }}|{{ messages[0].thinking }}", chat) == "2 and 2|2 and 2")
  }

  @Test(
    arguments: [
      ("{% include 'x' %}", 1, "'include'"), ("a\n{{ x is even(1) }}", 2, "other arguments"),
      ("{% for a in b recursive %}{% endfor %}", 1, "recursive"), ("{% if x %}", 1, "'endif' is missing"),
      ("{% endfor %}", 1, "'endfor' does not belong"), ("{{ 1 +", 1, "does not end"), ("{{ (1 }}", 1, "closes nothing"),
      ("{{ 'abc }}", 1, "between quotes"), ("{{ 99999999999999999999 }}", 1, "too large"),
      ("{{ ) }}", 1, "closes nothing"),
      ("{# comment", 1, "comment"), ("{% set x %}", 1, "'endset'"), ("{{ a b }}", 1, "'b' does not belong"),
      ("{{ }}", 1, "missing"), ("{% %}", 1, "without a statement"), ("{{ ? }}", 1, "begins nothing"),
      ("{% raw %}{% endrow %}", 1, "'raw' does not end"), ("{{ f(a=1, 2) }}", 1, "without a name"),
    ])
  func whatIsNotReadIsNamedWithItsLine(_ template: String, _ line: Int, _ problem: String) {
    #expect {
      _ = try ChatTemplate(ChatTemplateSource(template: template))
    } throws: { error in
      guard let error = error as? TemplateError else { return false }
      return error.line == line && error.description.contains(problem)
    }
  }

  @Test(
    arguments: [
      ("{{ 'a'.encode() }}", "'encode'"), ("{{ fancy() }}", "no function 'fancy'"),
      ("{{ 'x' | fancy(1) }}", "filter 'fancy'"),
      ("{{ 1 is fancy }}", "test 'fancy'"), ("{{ '{:5}'.format(1) }}", "'format'"), ("{{ 2 ** 3 }}", "'**'"),
      ("{{ {1: 2} }}", "key that is no text"), ("{{ strftime_now('%Y') }}", "today's date"),
      ("{{ raise_exception('no system role') }}", "no system role"), ("{{ x.y }}", "'x' is undefined"),
      ("{{ [2, 'a'] | sort }}", "no order"), ("{% for a, b in [1] %}{% endfor %}", "2 names"),
      ("{% for a in 1 %}{% endfor %}", "cannot go over a number"), ("{{ 9223372036854775807 + 1 }}", "too large"),
      ("{{ -9223372036854775807 - 2 }}", "too large"), ("{{ range(1000000000000) }}", "too long"),
      ("{{ 'abc' * 100000000 }}", "'*'"), ("{% set x.y = 1 %}", "no namespace"), ("{{ [1][0:1:0] }}", "step is 0"),
      ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "too deep"),
      (
        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}",
        "too many steps"
      ),
      ("{% for a in range(90000) %}{{ 'abcdefgh' * 1000 }}{% endfor %}", "writes more"),
    ])
  func whatCannotBeDoneIsNamed(_ template: String, _ problem: String) {
    #expect {
      _ = try text(template, [])
    } throws: {
      "\($0)".contains(problem)
    }
  }

  /// A file can be as hostile as it likes: an error, never a crash.
  @Test func deepTemplatesEnd() {
    for (open, close) in [("(", ")"), ("[", "]"), ("not ", ""), ("- ", ""), ("{'a':", "}"), ("f(", ")")] {
      let deep = "{{ " + String(repeating: open, count: 50_000) + "1" + String(repeating: close, count: 50_000) + " }}"
      _ = try? text(deep, [])
    }
    _ = try? text("{{ " + String(repeating: "1 + ", count: 50_000) + "1 }}", [])
    _ = try? text("{{ x" + String(repeating: "|trim", count: 50_000) + " }}", [])
    _ = try? text(String(repeating: "{% if true %}", count: 50_000), [])
    _ = try? text("{{ 1" + String(repeating: " if 1 else 1", count: 50_000) + " }}", [])
  }

  /// Templates cut and changed at random: read or refused.
  @Test func damagedTemplates() throws {
    let recorded = try JSONDecoder().decode(Recorded.self, from: Data(contentsOf: Self.file)).templates
    var random = SystemRandomNumberGenerator()
    let messages = try Self.messages()
    for _ in 0..<3000 {
      var bytes = Array((recorded.randomElement(using: &random)?.template ?? "").utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes.remove(at: place)
        case 1: bytes[place] = UInt8.random(in: 0x20..<0x7F, using: &random)
        default: bytes.insert(contentsOf: bytes[place..<min(place + 8, bytes.count)], at: place)
        }
      }
      _ = try? text(String(decoding: bytes, as: UTF8.self), messages)
    }
  }
}
