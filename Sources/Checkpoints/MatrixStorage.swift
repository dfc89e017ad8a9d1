/// How a folder stores its matrices, as `quantization_config` in config.json says it.
package enum MatrixStorage: Sendable, Equatable {
  /// As they are.
  case plain
  /// Some as two factors, or as what two factors add to a base: `FactoredFormat`.
  case factors
  /// E4M3 floats, of which every block of rows and columns has a scale (DeepSeek-V3, arXiv 2412.19437); with no block, all
  /// numbers of a matrix one. The scales of `P.weight` are `P.weight_scale_inv`.
  case float8(block: Block?)
  /// Experts in MXFP4 (gpt-oss): of a tensor P its `P_blocks` and `P_scales`.
  case mxfp4

  package struct Block: Sendable, Equatable {
    let rows: Int
    let columns: Int
  }

  /// - Throws: `CheckpointError` for a method that is not read.
  package init(_ configuration: Configuration) throws(CheckpointError) {
    guard let quantization = configuration["quantization_config"] else {
      self = .plain
      return
    }
    switch quantization["quant_method"]?.string {
    case FactoredFormat.method:
      try FactoredFormat.checkVersion(configuration)
      self = .factors
    case "mxfp4": self = .mxfp4
    case "fp8":
      if let format = quantization["fmt"]?.string, format != "e4m3" {
        throw configuration.error(.unsupported, "its weights are floats of the kind \"\(format)\"; only e4m3 is read")
      }
      self = .float8(block: try Self.block(quantization, configuration))
    case let method:
      throw configuration.error(
        .unsupported, "its weights are quantised (\(method ?? "unknown")); use the original checkpoint")
    }
  }

  private static func block(_ quantization: JSON, _ configuration: Configuration) throws(CheckpointError) -> Block? {
    guard let value = quantization["weight_block_size"], !value.isNull else { return nil }
    guard let sizes = value.array?.compactMap(\.integer), sizes.count == 2, sizes.allSatisfy({ $0 > 0 && $0 < 1 << 31 })
    else {
      throw configuration.error(.malformed, "\"weight_block_size\" is not two sizes")
    }
    return Block(rows: sizes[0], columns: sizes[1])
  }

  /// Whether numbers have few bits and scales apart: what is written of them are bfloat16 numbers.
  var isScaled: Bool {
    switch self {
    case .plain, .factors: false
    case .float8, .mxfp4: true
    }
  }
}
