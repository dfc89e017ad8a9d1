internal import Search

/// When, on what and by what a search was made: what differs between two runs of the same search.
enum RunText {
  /// "2026-11-26 07:50 UTC · AMD EPYC 9R14, 16 threads, 32 GB · laser 0.1.0"
  static func line(_ outcome: SearchOutcome) -> String {
    [started(outcome), outcome.header.machine, outcome.header.program].compactMap(\.self).joined(separator: " · ")
  }

  /// As people write it; nil in runs of versions that did not say.
  static func started(_ outcome: SearchOutcome) -> String? {
    outcome.header.started.map { time in
      let parts = time.split(separator: "T")
      guard parts.count == 2, parts[1].count >= 5 else { return time }
      return "\(parts[0]) \(parts[1].prefix(5)) UTC"
    }
  }

  /// A file's size, after its name.
  static func size(_ bytes: Int?) -> String { bytes.map { ", \(Numbers.bytes($0))" } ?? "" }
}
