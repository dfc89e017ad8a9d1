internal import Checkpoints
internal import FoundationEssentials
internal import RankReduction
internal import Wording

/// The folder that a search writes into.
enum RunFolder {
  /// What is written anew each time.
  private static let products = ["plan.yaml", "plan.safetensors", "report.html", "report.md", "report.json"]

  /// Makes the folder, if it may be written into.
  ///
  /// - Parameter inputs: What the search reads, which it must not write over.
  /// - Throws: `CheckpointError` or `InputError`, and nothing has been written.
  static func make(_ folder: String, inputs: [String]) throws {
    try refuseInputs(at: folder, inputs)
    for name in products + [fileName(Journal.path(in: folder))] { try refuseInputs(at: folder + "/" + name, inputs) }
    try refuseForeign(in: folder)
    try AtomicFile.makeFolder(folder)
  }

  /// Where a process that helps keeps what does not fit its memory: in the run folder if its host has it, else where
  /// temporary files go.
  static func scratch(for folder: String) -> String {
    FileManager.default.isWritableFile(atPath: folder) ? folder : FileManager.default.temporaryDirectory.path
  }

  /// Without a journal, files of these names may be anyone's, unless there is a plan that says whose it is.
  private static func refuseForeign(in folder: String) throws {
    let manager = FileManager.default
    guard !manager.fileExists(atPath: Journal.path(in: folder)),
      let found = products.first(where: { manager.fileExists(atPath: folder + "/" + $0) })
    else { return }
    let plan = manager.contents(atPath: folder + "/plan.yaml") ?? Data()
    guard plan.starts(with: Plan.firstLine.utf8) else {
      throw InputError("\(folder): \(found) is there without a journal, so it may not be laser's; use another --out")
    }
  }
}
