package import Tensors

/// Which type each matrix of a GGUF file gets, as llama-quantize chooses it. Source: llama.cpp, src/llama-quant.cpp
/// (`llama_tensor_get_type`).
package struct TypeMixture {
  private let fileType: GGUFFileType
  private let hasImportance: Bool
  private let shape: Shape

  /// What of a model the choice depends on.
  package struct Shape: Sendable {
    /// As `general.architecture` has it.
    let architecture: String
    let layerCount: Int
    /// 0 for a dense model.
    let expertCount: Int
    let headCount: Int
    let keyValueHeadCount: Int
    let tiesEmbeddings: Bool

    package init(
      architecture: String, layerCount: Int, expertCount: Int, headCount: Int, keyValueHeadCount: Int,
      tiesEmbeddings: Bool
    ) {
      (self.architecture, self.layerCount, self.expertCount) = (architecture, layerCount, expertCount)
      (self.headCount, self.keyValueHeadCount) = (headCount, keyValueHeadCount)
      self.tiesEmbeddings = tiesEmbeddings
    }

    /// Heads of queries to one of keys.
    var groupSize: Int { headCount / max(1, keyValueHeadCount) }

    /// Whether llama.cpp takes it for a model of 70 billion parameters, whose values are few for its size.
    var isOf70B: Bool {
      layerCount == 80
        && (architecture == "qwen2" || architecture == "llama" && headCount != keyValueHeadCount)
    }
  }

  /// What a matrix does.
  package enum Purpose {
    case embedding, head
    case value(layer: Int), key, output, down(layer: Int)
    /// Queries, gate and up projections.
    case other
  }

  /// - Parameter hasImportance: Whether the importance of the matrices' columns is known.
  package init(_ fileType: GGUFFileType, of shape: Shape, hasImportance: Bool) {
    (self.fileType, self.shape, self.hasImportance) = (fileType, shape, hasImportance)
  }

  /// The type for a matrix, or for a stack of one expert's matrices on another's.
  package func type(for purpose: Purpose, columns: Int, isStack: Bool) -> ElementType {
    let main = fileType.mainType
    guard main.blockSize > 1 else { return main }
    return Self.fitting(chosen(purpose, columns: columns, isStack: isStack), columns: columns)
  }

  private func chosen(_ purpose: Purpose, columns: Int, isStack: Bool) -> ElementType {
    let main = fileType.mainType
    switch purpose {
    case .embedding where !shape.tiesEmbeddings: return fileType == .mxfp4MoE ? .q80 : main
    case .embedding, .head:
      return fileType == .mxfp4MoE || main == .q80 || !columns.isMultiple(of: main.blockSize) ? .q80 : .q6K
    case _ where fileType == .mxfp4MoE: return isStack ? .mxfp4 : .q80
    case .value, .key:
      // Small beside so many experts.
      if shape.expertCount == 8 { return .q80 }
      guard case .value(let layer) = purpose else { return main }
      let type = valueType(layer)
      return shape.isOf70B && (type == .q3K || type == .q4K) ? .q5K : type
    case .output: return outputType
    case .down(let layer): return downType(layer)
    case .other: return main
    }
  }

  /// Of the first and last eighth of the layers all get more bits, of those between every third.
  private func getsMoreBits(_ layer: Int) -> Bool {
    let eighth = shape.layerCount / 8
    return layer < eighth || layer >= 7 * shape.layerCount / 8 || (layer - eighth) % 3 == 2
  }

  private func valueType(_ layer: Int) -> ElementType {
    switch fileType {
    case .q2K: shape.groupSize >= 4 ? .q4K : .q3K
    case .q2KSmall: shape.groupSize >= 4 ? .q4K : .q2K
    case .q3KMedium: layer < 2 ? .q5K : .q4K
    case .q3KLarge: .q5K
    case .q4KSmall: layer < 4 ? .q5K : .q4K
    case .q4KMedium, .q5KMedium: getsMoreBits(layer) ? .q6K : fileType.mainType
    case .iq4NL, .iq4XS: shape.groupSize >= 4 ? .q5K : fileType.mainType
    default: fileType.mainType
    }
  }

  private func downType(_ layer: Int) -> ElementType {
    let isEarly = layer < shape.layerCount / 8
    return switch fileType {
    case .q2K: .q3K
    case .q2KSmall: isEarly ? .q4K : .q2K
    case .q3KMedium: layer < shape.layerCount / 16 ? .q5K : .q4K
    case .q3KLarge: .q5K
    case .q4KSmall: isEarly ? .q5K : .q4K
    case .q4KMedium, .q5KMedium: getsMoreBits(layer) ? .q6K : fileType.mainType
    case .iq4NL, .iq4XS: isEarly && !hasImportance ? .q5K : fileType.mainType
    case .q40: isEarly && hasImportance ? .q41 : .q40
    case .q50: isEarly && hasImportance ? .q51 : .q50
    default: fileType.mainType
    }
  }

  private var outputType: ElementType {
    if shape.expertCount == 8 {
      return switch fileType {
      case .q2K, .q3KSmall, .q3KMedium, .q4KSmall, .q4KMedium, .iq4NL, .iq4XS: .q5K
      default: fileType.mainType
      }
    }
    return switch fileType {
    case .q2K: .q3K
    case .q3KMedium: .q4K
    case .q3KLarge: .q5K
    default: fileType.mainType
    }
  }

  /// The type itself, or one of smaller blocks where rows are no whole blocks; F16 where none fits.
  private static func fitting(_ type: ElementType, columns: Int) -> ElementType {
    guard !columns.isMultiple(of: type.blockSize) else { return type }
    let smaller: ElementType =
      switch type {
      case .iq4XS: .iq4NL
      case .q2K, .q3K: .q40
      case .q4K: .q50
      case .q5K: .q51
      case .q6K: .q80
      default: type
      }
    return columns.isMultiple(of: smaller.blockSize) ? smaller : .float16
  }
}
