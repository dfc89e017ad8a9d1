internal import Checkpoints
package import Models

/// The factors of a plan's filters, one vector a site, in a safetensors file beside the plan: plan.safetensors for plan.yaml.
package enum FilterFile {
  package static func path(besidePlan plan: String) -> String {
    (plan.hasSuffix(".yaml") ? String(plan.dropLast(".yaml".count)) : plan) + ".safetensors"
  }

  /// Writes the filters that have a factor for each direction.
  package static func write(_ reductions: [Reduction], to path: String) throws {
    var vectors: [String: [Float]] = [:]
    for reduction in reductions {
      if case .factors(let factors) = reduction.filter { vectors[name(of: reduction.site)] = factors }
    }
    try AtomicFile.write(SafetensorsVectors.bytes(vectors), to: path)
  }

  /// By name: see `name(of:)`.
  ///
  /// - Throws: `CheckpointError` where the file is missing or damaged.
  package static func read(_ path: String) throws -> [String: [Float]] { try SafetensorsVectors.read(path) }

  /// "3.2.w1", "3.q_proj"
  package static func name(of site: Site) -> String {
    [String(site.layer), site.expert.map(String.init), site.role.rawValue].compactMap(\.self).joined(separator: ".")
  }
}
