package import Tensors

extension ElementType {
  /// As torch_dtype in config.json says it; nil for types that only GGUF has.
  package var configurationName: String? {
    switch self {
    case .bfloat16: "bfloat16"
    case .float16: "float16"
    case .float32: "float32"
    default: nil
    }
  }

  package init?(configurationName name: String) {
    guard let type = Self.allCases.first(where: { $0.configurationName == name }) else { return nil }
    self = type
  }
}
