internal import FoundationEssentials
internal import Glibc

/// The id of a repository of the Hugging Face Hub, as people write it: `owner/name`, or `owner/name@revision`.
package struct HubName: Sendable, Equatable {
  /// `owner/name`
  package let id: String
  /// A branch, a tag or a commit; nil for what is called main.
  package let revision: String?

  /// Nil for a text that no repository has as its id.
  package init?(_ text: String) {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let names = parts[0].split(separator: "/", omittingEmptySubsequences: false)
    guard names.count == 2, names.allSatisfy(Self.isName) else { return nil }
    id = parts[0]
    revision = parts.count == 2 ? parts[1] : nil
    if let revision {
      let parts = revision.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("\0") }) else { return nil }
    }
  }

  /// Letters, digits, `.`, `_` and `-`, which neither begins nor ends with the last or a dot, nor has two of them in a row
  /// (huggingface_hub's `validate_repo_id`).
  private static func isName(_ name: Substring) -> Bool {
    guard let first = name.first, let last = name.last, name.utf8.count <= 96 else { return false }
    return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
      && !".-".contains(first) && !".-".contains(last) && !name.contains("--") && !name.contains("..")
  }

  /// The repository that a path in a cache belongs to; nil for any other path.
  package init?(cachedAt path: String) {
    let folder = path.split(separator: "/").last { $0.hasPrefix(HubCache.prefix) }
    guard let folder else { return nil }
    self.init(String(folder.dropFirst(HubCache.prefix.count).replacing("--", with: "/")))
  }
}

/// What other programs have downloaded from the Hugging Face Hub: a folder for each repository, with a snapshot for each
/// commit and the commits that branches stand at. It is only read.
package enum HubCache {
  static let prefix = "models--"

  /// Where it is looked for: HF_HUB_CACHE, the hub of HF_HOME, or the user's cache folder.
  package static var folder: String {
    for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
      if let path = variable(name) { return path }
    }
    let home = variable("HF_HOME") ?? (variable("XDG_CACHE_HOME") ?? "\(homeFolder)/.cache") + "/huggingface"
    return home + "/hub"
  }

  private static var homeFolder: String { getenv("HOME").map { String(cString: $0) } ?? "" }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
    return value == "~" || value.hasPrefix("~/") ? homeFolder + value.dropFirst() : value
  }

  /// The folder of a model that was downloaded; nil if it was not.
  package static func snapshot(of name: HubName) -> String? {
    let repository = "\(folder)/\(prefix)\(name.id.replacing("/", with: "--"))"
    let revision = name.revision ?? "main"
    let reference = FileManager.default.contents(atPath: "\(repository)/refs/\(revision)")
    let commit = reference.map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } } ?? revision
    guard !commit.isEmpty, commit.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else { return nil }
    let snapshot = "\(repository)/snapshots/\(commit)"
    return isFolder(snapshot) ? snapshot : nil
  }

  /// The ids of the models that it has, in their order.
  package static var models: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.compactMap { HubName(cachedAt: $0)?.id }.filter { HubName($0).flatMap(snapshot) != nil }.sorted()
  }
}

/// Where a model lies that a person names: a folder, a GGUF file, or the id of a model in the Hub's cache.
///
/// - Parameter folder: What paths are relative to: empty, or ending in a slash.
/// - Throws: `CheckpointError` if there is no such model.
package func modelPath(_ name: String, relativeTo folder: String = "") throws(CheckpointError) -> String {
  let path = name.hasPrefix("/") ? name : folder + name
  if FileManager.default.fileExists(atPath: path) { return path }
  guard let hub = HubName(name) else { throw CheckpointError(.notFound, file: path, "no such folder or file") }
  if let snapshot = HubCache.snapshot(of: hub) { return snapshot }
  let revision = hub.revision.map { " --revision \($0)" } ?? ""
  throw CheckpointError(
    .notFound, file: name,
    "no such folder or file, nor is it in the Hugging Face cache (\(HubCache.folder)); download it with "
      + "`hf download \(hub.id)\(revision)`, or set HF_HUB_CACHE")
}
