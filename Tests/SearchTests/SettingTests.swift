import Foundation
import RankReduction
import Search
import Testing

/// The table of settings: what is written reads back as the same, everywhere.
@Suite struct SettingTests {
  /// Every setting at another value than its default.
  private static let others: [String: [String]] = [
    "model": ["m"], "base": ["b"], "text": ["a.txt", "b, c.txt"], "held_out": ["d.txt"],
    "guard": ["h.txt"], "guard_limit": ["0.5"],
    "questions": ["e.jsonl", "f.jsonl"], "held_out_questions": ["g.jsonl"], "query_suffix": ["\nAnswer:, "],
    "question_share": ["0.25"], "layers": ["0-5,7"], "experts": ["0,2"], "roles": ["w1,q_proj"],
    "ranks": ["0.5,64,energy:0.9"], "strategy": ["greedy"], "filter": ["reweight"], "damping": ["32.0"],
    "rounds": ["2"], "objective": ["size"], "tolerance": ["0.02"], "confidence": ["0.9"], "fdr": ["1.0"],
    "exhaustive": ["true"], "screening": ["float32"], "budget": ["5400s"], "control": ["true"],
    "convention": ["strided"], "context": ["64"], "stride": ["16"], "experts_per_token": ["3"],
  ]

  @Test func everySettingIsReadAndWritten() throws {
    #expect(Set(Self.others.keys) == Set(Setting.all.map(\.key)))
    let settings = try SearchSettings(Self.others) { $0.key }
    let written = Dictionary(uniqueKeysWithValues: settings.written.map { ($0.setting.key, $0.values) })
    #expect(written == Self.others)
    for setting in Setting.all {
      #expect(setting.write(SearchSettings()) != setting.write(settings), "\(setting.key) is at its default")
    }
  }

  @Test func journalsHoldEverySetting() throws {
    for values in [Self.others, ["model": ["m"], "text": ["a"]], ["model": ["m"], "questions": ["a"]]] {
      let settings = try SearchSettings(values) { $0.key }
      let encoded = try JSONEncoder().encode(settings)
      #expect(try JSONDecoder().decode(SearchSettings.self, from: encoded) == settings)
    }
  }

  @Test func errorsNameTheKeyAndTheValue() {
    for (key, value) in [("context", "many"), ("roles", "w4"), ("strategy", "luck"), ("control", "1"), ("fdr", "inf")] {
      #expect { try SearchSettings([key: [value]]) { "--\($0.name)" } } throws: {
        "\($0)".hasPrefix("--\(key): ") && "\($0)".contains("\"\(value)\"")
      }
    }
  }
}
