import Checkpoints
import Foundation

/// A JSON schema of docs/schemas, as far as these go: types, properties, items, enumerations, minima, references.
struct JSONSchema {
  private let root: JSON

  private static let folder = URL(filePath: #filePath).appending(path: "../../../docs/schemas").standardized
  private static let known: Set = [
    "$schema", "$defs", "title", "description", "type", "properties", "required", "additionalProperties", "items",
    "enum",
    "minimum", "$ref",
  ]

  static var names: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: folder.path)
        .map { $0.replacingOccurrences(of: ".schema.json", with: "") }.sorted()
    }
  }

  init(_ name: String) throws {
    root = try JSON(parsing: Array(Data(contentsOf: Self.folder.appending(path: "\(name).schema.json"))))
  }

  /// What is wrong with a value, and where; nothing if it is as the schema says.
  func problems(_ value: JSON) -> [String] { problems(value, root, at: "") }

  private func problems(_ value: JSON, _ schema: JSON, at path: String) -> [String] {
    if let name = schema["$ref"]?.string {
      guard name.hasPrefix("#/$defs/"), let part = root["$defs"]?[String(name.dropFirst(8))] else {
        return ["\(path): no \(name) in the schema"]
      }
      return problems(value, part, at: path)
    }
    var found = schema.keys.filter { !Self.known.contains($0) }.map { "\(path): the schema has \($0)" }
    if let type = schema["type"] {
      let types = type.array?.compactMap(\.string) ?? [type.string].compactMap(\.self)
      if !types.contains(where: { Self.isOf($0, value) }) { found.append("\(path): not of type \(types)") }
    }
    if let words = schema["enum"]?.array?.map(\.string), !words.contains(value.string) {
      found.append("\(path): \(value.string ?? "?") is none of \(words)")
    }
    if let minimum = schema["minimum"]?.number, let number = value.number, number < minimum {
      found.append("\(path): below \(minimum)")
    }
    if let items = schema["items"], let array = value.array {
      found += array.enumerated().flatMap { problems($1, items, at: "\(path)[\($0)]") }
    }
    guard let members = value.members else { return found }
    let keys = value.keys
    found += (schema["required"]?.array ?? []).compactMap(\.string).filter { !keys.contains($0) }
      .map { "\(path): no \($0)" }
    for member in members {
      let path = "\(path).\(member.key)"
      if let property = schema["properties"]?[member.key] {
        found += problems(member.value, property, at: path)
      } else if let others = schema["additionalProperties"], others.members != nil {
        found += problems(member.value, others, at: path)
      } else if schema["additionalProperties"]?.boolean == false {
        found.append("\(path): not in the schema")
      }
    }
    return found
  }

  private static func isOf(_ type: String, _ value: JSON) -> Bool {
    switch type {
    case "null": value.isNull
    case "boolean": value.boolean != nil
    case "integer": value.integer != nil
    case "number": value.number != nil
    case "string": value.string != nil
    case "array": value.array != nil
    case "object": value.members != nil
    default: false
    }
  }
}
