internal import Checkpoints
package import Search

/// The reports in a run folder, made from its journal alone.
package enum RunReport {
  /// Writes report.html, report.md and report.json.
  package static func write(_ outcome: SearchOutcome, in folder: String) throws {
    try AtomicFile.write(HTMLReport.text(outcome), to: folder + "/report.html")
    try AtomicFile.write(MarkdownReport.text(outcome), to: folder + "/report.md")
    try AtomicFile.write(jsonText(JSONReport(outcome)), to: folder + "/report.json")
  }
}
