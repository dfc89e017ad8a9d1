internal import FoundationEssentials
internal import Tensors

/// A model in GGUF: one file, or all parts of a split one seen together.
///
/// Parts are named `x-00001-of-00003.gguf` and so on; the first one has the metadata, each has its number (`split.no`)
/// and how many there are (`split.count`), and all together have `split.tensors.count` tensors.
package struct GGUFParts: Sendable {
  package let files: [GGUFFile]
  private let places: [String: (part: Int, index: Int)]

  /// - Parameter path: The file, or the first part.
  package init(path: String) throws(CheckpointError) {
    let first = try GGUFFile(path: path)
    var files = [first]
    if let count = try Self.partCount(first), count > 1 {
      let names = try Self.names(path, count: count)
      try Self.refuseMissing(names)
      for (number, name) in names.enumerated().dropFirst() {
        let file = try GGUFFile(path: name)
        guard try Self.partCount(file) == count, file["split.no"]?.integer == number else {
          throw CheckpointError(
            .malformed, file: name, "its \"split.no\" and \"split.count\" are not those of its name")
        }
        files.append(file)
      }
    }
    self.files = files
    var places: [String: (part: Int, index: Int)] = [:]
    for (part, file) in files.enumerated() {
      for (index, tensor) in file.tensors.enumerated() {
        guard places.updateValue((part, index), forKey: tensor.name) == nil else {
          throw file.error(.malformed, tensor, "another part has a tensor of this name")
        }
      }
    }
    if files.count > 1, let expected = first["split.tensors.count"]?.integer, expected != places.count {
      throw CheckpointError(
        .malformed, file: path, "\"split.tensors.count\" is \(expected) but the parts hold \(places.count) tensors")
    }
    self.places = places
  }

  /// The model's metadata, which the first part has.
  package var metadata: [GGUFFile.Member] { files[0].metadata }

  package subscript(key: String) -> GGUFValue? { files[0][key] }

  /// Identifies the metadata whose keys begin with a prefix.
  package func fingerprint(ofKeys prefix: String) -> Fingerprint {
    var result = Fingerprint()
    for member in metadata where member.key.hasPrefix(prefix) {
      result.update("\(member.key) \(member.value.type.rawValue) \(member.value.encoded.byteCount)")
      member.value.encoded.withBytes { result.update($0) }
    }
    return result
  }

  package func tensor(_ name: String) -> (file: GGUFFile, tensor: GGUFFile.Tensor)? {
    places[name].map { (files[$0.part], files[$0.part].tensors[$0.index]) }
  }

  /// The number of the file that holds a tensor.
  func part(of name: String) -> Int? { places[name]?.part }

  // MARK: Names

  private static func partCount(_ file: GGUFFile) throws(CheckpointError) -> Int? {
    guard let value = file["split.count"] else { return nil }
    guard let count = value.integer, (0...Int(UInt16.max)).contains(count) else {
      throw CheckpointError(.malformed, file: file.file.path, "\"split.count\" is no number of files")
    }
    return count
  }

  private static func names(_ path: String, count: Int) throws(CheckpointError) -> [String] {
    guard path.hasSuffix(partSuffix(1, of: count)) else {
      throw CheckpointError(
        .malformed, file: path,
        "it is one of \(count) parts; give the first, whose name must end with \(partSuffix(1, of: count))")
    }
    let prefix = path.dropLast(partSuffix(1, of: count).count)
    return (1...count).map { prefix + partSuffix($0, of: count) }
  }

  private static func refuseMissing(_ names: [String]) throws(CheckpointError) {
    let missing = names.filter { !FileManager.default.fileExists(atPath: $0) }
    guard let first = missing.first else { return }
    let others = missing.dropFirst().map(fileName)
    throw CheckpointError(
      .notFound, file: first,
      "this part of the model is missing"
        + (others.isEmpty ? "" : ", and so are \(others.joined(separator: ", "))") + "; download it again")
  }

  /// Whether a file's name says that it is a part after the first.
  static func isLaterPart(_ name: String) -> Bool {
    // …-00002-of-00003.gguf
    let words = name.dropLast(".gguf".count).split(separator: "-", omittingEmptySubsequences: false).suffix(3)
    guard words.count == 3, words[words.startIndex + 1] == "of", let count = Int(words[words.startIndex + 2]),
      let number = Int(words[words.startIndex])
    else { return false }
    return number > 1 && (1...Int(UInt16.max)).contains(count) && name.hasSuffix(partSuffix(number, of: count))
  }

  /// The end of a part's name; numbers begin at 1.
  static func partSuffix(_ number: Int, of count: Int) -> String {
    func digits(_ value: Int) -> String {
      String(repeating: "0", count: max(0, 5 - String(value).count)) + String(value)
    }
    return "-\(digits(number))-of-\(digits(count)).gguf"
  }
}
