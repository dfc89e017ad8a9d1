internal import Checkpoints
package import Models
package import Wording
internal import Yams

/// An ordered list of reductions: with the original checkpoint (and the base), all that a lasered one is made from.
///
/// Version 2 has filters, whose factors lie in a file beside the plan (`FilterFile`); version 1, which has ranks alone, is read too.
package struct Plan: Sendable, Equatable, Codable {
  /// The version of the format.
  package var version = Self.currentVersion
  /// Fingerprint of the checkpoint that the reductions were found on.
  package var model: String
  package var base: Base?
  package var reductions: [Entry]
  /// The factors of filters with one for each direction, by name: see `FilterFile`.
  package var factors: [String: [Float]] = [:]

  private static let currentVersion = 2

  package struct Base: Sendable, Equatable, Codable {
    /// Relative to the plan's folder, unless it begins with a slash.
    package var path: String
    package var fingerprint: String

    package init(path: String, fingerprint: String) {
      self.path = path
      self.fingerprint = fingerprint
    }
  }

  package struct Entry: Sendable, Equatable, Codable {
    package var tensor: String
    package var layer: Int
    package var expert: Int?
    package var role: Role
    package var kind: ReductionKind
    /// What kind of filter it is; nil for the first `rank` directions.
    package var filter: FilterKind?
    /// The factor of a filter that has one for all directions.
    package var scale: Float?
    /// How many factors are not 0.
    package var rank: Int
    package var fullRank: Int
    /// Fingerprint of the reduced matrix.
    package var matrix: String?
    /// Against the model as it was when this reduction was tried; nats per token. Nil where it was not measured.
    package var delta: Double?
    package var standardError: Double?

    package init(
      _ reduction: Reduction, model: Model, filter: FilterKind? = nil, matrix: String? = nil, delta: Double?,
      standardError: Double?
    ) {
      let reference = model.reference(of: reduction.site)
      tensor = reference.name
      layer = reduction.site.layer
      expert = reduction.site.expert
      role = reduction.site.role
      kind = reduction.kind
      rank = reduction.rank
      fullRank = min(reference.rows, reference.columns)
      self.matrix = matrix
      switch reduction.filter {
      case .truncation: self.filter = nil
      case .scale(let factor, _): (self.filter, scale) = (.scale, factor)
      case .factors: self.filter = filter ?? .reweight
      }
      self.delta = delta
      self.standardError = standardError
    }

    package var site: Site { Site(layer: layer, expert: expert, role: role) }

    /// Whether its filter has a factor for each direction, which lie beside the plan.
    var hasFactors: Bool { filter.map { $0 != .truncate && $0 != .scale } ?? false }

    private enum CodingKeys: String, CodingKey {
      case tensor, layer, expert, role, kind, filter, scale, rank
      case fullRank = "full_rank"
      case matrix, delta
      case standardError = "standard_error"
    }
  }

  package init(model: String, base: Base?, reductions: [Entry]) {
    self.model = model
    self.base = base
    self.reductions = reductions
  }

  private enum CodingKeys: String, CodingKey {
    case version = "laser_plan"
    case model, base, reductions
  }

  // MARK: Files

  package init(file path: String) throws {
    let text = try MappedFile(path: path).withBytes { String(validating: $0, as: UTF8.self) }
    guard let text else { throw InputError("\(path): not UTF-8 text") }
    do {
      self = try YAMLDecoder().decode(Plan.self, from: text)
    } catch {
      throw InputError("\(path): not a plan: \(yamlProblem(error))")
    }
    guard (1...Self.currentVersion).contains(version) else {
      throw InputError(
        "\(path): a plan of version \(version); this program reads versions 1 and \(Self.currentVersion)")
    }
    if reductions.contains(where: \.hasFactors) { factors = try FilterFile.read(FilterFile.path(besidePlan: path)) }
  }

  /// Of every plan that was written here.
  package static let firstLine = "# Written by laser. Apply it with: laser apply MODEL --plan THIS_FILE --out FOLDER"

  package var yaml: String {
    get throws {
      let encoder = YAMLEncoder()
      encoder.options.sortKeys = false
      return Self.firstLine + "\n" + (try encoder.encode(self))
    }
  }

  /// The reductions as the model takes them.
  ///
  /// - Throws: `InputError` for a site that the model does not have, one that occurs twice, and a filter that its matrix
  ///   cannot pass.
  package func reductions(for model: Model) throws(InputError) -> [Reduction] {
    let sites = Set(model.sites)
    var seen: Set<Site> = []
    for entry in reductions {
      guard sites.contains(entry.site) else {
        throw InputError("the plan reduces \(entry.site), which the model does not have")
      }
      guard seen.insert(entry.site).inserted else { throw InputError("the plan reduces \(entry.site) twice") }
    }
    return try reductions.map { entry throws(InputError) in
      let (filter, reference) = (try filter(of: entry), model.reference(of: entry.site))
      do { try filter.check(fullRank: min(reference.rows, reference.columns)) } catch {
        throw InputError("\(entry.site): \(error)")
      }
      return Reduction(site: entry.site, kind: entry.kind, filter: filter)
    }
  }

  private func filter(of entry: Entry) throws(InputError) -> Filter {
    if let scale = entry.scale { return .scale(scale, directions: entry.fullRank) }
    guard entry.hasFactors else { return .truncation(rank: entry.rank) }
    guard let factors = factors[FilterFile.name(of: entry.site)] else {
      throw InputError("the plan's safetensors file has no factors for \(entry.site); it belongs to another plan")
    }
    return .factors(factors)
  }
}
