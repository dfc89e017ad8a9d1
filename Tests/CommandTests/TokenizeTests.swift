import CheckpointFixtures
import Foundation
import Testing

struct TokenizeTests {
  private static let text = Posy.text("tales.search")

  @Test func countsAndIDs() async throws {
    let table = try await laserSucceeds(["tokenize", Posy.model, "--text", Self.text])
    let ids = try await laserSucceeds(["tokenize", Posy.model, "--text", Self.text, Self.text, "--ids"])
    let lines = ids.output.split(separator: "\n")
    #expect(lines.count == 2 && lines[0] == lines[1])
    let words = lines[0].split(separator: " ")
    #expect(words.first == "1" && words.allSatisfy { (0..<2048).contains(Int($0) ?? -1) })
    let row = try #require(table.output.split(separator: "\n").last)
    #expect(row.replacing(" ", with: "").hasPrefix("tales.search.txt\(words.count)"))
  }

  /// What a script times tokenizers by.
  @Test func secondsInJSON() async throws {
    let output = try await laserSucceeds(["tokenize", Posy.model, "--text", Self.text, "--json"]).output
    let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: [[String: Any]]]
    let text = try #require(object?["texts"]?.first)
    let seconds = try #require(text["seconds"] as? Double)
    #expect(seconds > 0 && seconds < 10 && text["tokens"] as? Int ?? 0 > 1000)
  }

  @Test func badInput() async throws {
    let empty = try TemporaryFolder()
    let missing = try await laser(["tokenize", empty.url.path, "--text", Self.text])
    #expect(missing.status == 1 && missing.output.isEmpty)
    #expect(missing.error.contains("has no tokenizer"))
    let noText = try await laser(["tokenize", Posy.model])
    #expect(noText.status == 64)
  }
}
