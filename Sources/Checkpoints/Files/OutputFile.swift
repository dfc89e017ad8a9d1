internal import FoundationEssentials
internal import SystemPackage
internal import Tensors

/// A file that a person asked for by name: found writable before any work, and nobody else's until it is written.
///
/// Every file that is named on a command line is written through this, every folder through `FolderReplacement`.
package struct OutputFile: Sendable {
  package let path: String
  private let replacesExisting: Bool
  /// Nil while the folder of the file is not there.
  private let lock: OutputLock?

  /// - Parameters:
  ///   - ending: What the name must end with, ".gguf".
  ///   - what: What such a file is, "a GGUF file".
  ///   - inputs: Files and folders that the file is made from or that are still needed: it is none of them, nor in one.
  package init(
    _ path: String, ending: String, of what: String, replacesExisting: Bool, inputs: [String]
  ) throws(CheckpointError) {
    guard path.hasSuffix(ending) else {
      throw CheckpointError(.unwritable, file: path, "the name of \(what) must end with \(ending)")
    }
    try refuseInputs(at: path, inputs)
    self.path = path
    self.replacesExisting = replacesExisting
    try Self.refuseExisting(path, replacesExisting: replacesExisting)
    lock = isFolder(parentFolder(of: path)) ? try OutputLock(of: path) : nil
  }

  package static func gguf(
    _ path: String, replacesExisting: Bool, inputs: [String]
  ) throws(CheckpointError) -> OutputFile {
    try OutputFile(path, ending: ".gguf", of: "a GGUF file", replacesExisting: replacesExisting, inputs: inputs)
  }

  private static func refuseExisting(_ path: String, replacesExisting: Bool) throws(CheckpointError) {
    guard let there = status(of: path) else { return }
    guard there.type != .symbolicLink else { throw CheckpointError.link(path) }
    guard replacesExisting, there.type == .regular else {
      throw CheckpointError(.exists, file: path, "exists already; give another name, or --force to replace it")
    }
  }

  package func write(_ text: String) throws(CheckpointError) {
    try make { descriptor, partial throws(CheckpointError) in
      try AtomicFile.write(OwnedBytes(Array(text.utf8)), to: descriptor, at: 0, path: partial)
    }
  }

  /// Has the file written under another name, and gives it its own when it is whole.
  func make(_ body: AtomicFile.Body) throws(CheckpointError) {
    try AtomicFile.make(path, lock: lock) { descriptor, partial throws(CheckpointError) in
      try body(descriptor, partial)
      // Whatever came there meanwhile is nobody's of ours.
      try Self.refuseExisting(path, replacesExisting: replacesExisting)
    }
  }

  /// Has several files written, and gives them their names when all are whole, the last one first.
  ///
  /// - Parameter body: Writes the file of a number.
  static func make(
    _ files: [OutputFile],
    _ body: (_ number: Int, _ descriptor: FileDescriptor, _ path: String) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    var partials: [String] = []
    do throws(CheckpointError) {
      for (number, file) in files.enumerated() {
        partials.append(
          try AtomicFile.makePartial(of: file.path) { descriptor, partial throws(CheckpointError) in
            try body(number, descriptor, partial)
          })
      }
      for file in files { try refuseExisting(file.path, replacesExisting: file.replacesExisting) }
      for (partial, file) in zip(partials, files).reversed() { try AtomicFile.putInPlace(partial, as: file.path) }
    } catch {
      for path in partials { removeFile(path) }
      throw error
    }
  }
}
