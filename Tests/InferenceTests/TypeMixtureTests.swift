import Foundation
import Models
import Tensors
import Testing

/// Types of matrices against those of llama-quantize: Tests/Fixtures/gguf/mixtures.json.
struct TypeMixtureTests {
  private struct Case: Decodable {
    let type: String
    let architecture: String
    let layers: Int
    let experts: Int
    let heads: Int
    let keys: Int
    let width: Int
    let inner: Int
    let tied: Bool
    let importance: Bool
    /// By layer; of equal ones there is one.
    let types: [String: [String]]
  }

  @Test func typesAreThoseOfLlamaQuantize() throws {
    let path = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures/gguf/mixtures.json"
    let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: URL(filePath: path)))
    #expect(Set(cases.map(\.type)) == Set(GGUFFileType.allCases.map(\.rawValue)))
    for item in cases {
      let type = try #require(GGUFFileType(rawValue: item.type))
      let shape = TypeMixture.Shape(
        architecture: item.architecture, layerCount: item.layers, expertCount: item.experts, headCount: item.heads,
        keyValueHeadCount: item.keys, tiesEmbeddings: item.tied)
      let mixture = TypeMixture(type, of: shape, hasImportance: item.importance)
      for (name, expected) in item.types {
        let found = (0..<item.layers).map { layer in
          mixture.type(
            for: purpose(name, layer), columns: name == "ffn_down" ? item.inner : item.width,
            isStack: item.experts > 0 && name.hasPrefix("ffn")
          ).rawValue
        }
        let wanted = expected.count == 1 ? Array(repeating: expected[0], count: item.layers) : expected
        #expect(found == wanted, "\(item.type), \(item.architecture), \(item.layers) layers, \(name)")
      }
    }
  }

  private func purpose(_ name: String, _ layer: Int) -> TypeMixture.Purpose {
    switch name {
    case "embedding": .embedding
    case "head": .head
    case "attn_k": .key
    case "attn_v": .value(layer: layer)
    case "attn_output": .output
    case "ffn_down": .down(layer: layer)
    default: .other
    }
  }
}
