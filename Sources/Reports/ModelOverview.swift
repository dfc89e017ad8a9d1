internal import Checkpoints
package import Models
internal import RankReduction
internal import Tensors

/// What a model is made of, on one screen.
package struct ModelOverview: Encodable {
  private let model: String
  private let architecture: String
  private let layers: Int
  private let experts: Int?
  private let expertsPerToken: Int?
  private let hiddenSize: Int
  /// Of an expert, or of a dense model's one feed-forward layer.
  private let intermediateSize: Int
  private let sharedIntermediateSize: Int?
  private let heads: Int
  private let keyValueHeads: Int
  private let headDimension: Int
  /// Layers with linear attention; nil where there are none.
  private let linearLayers: Int?
  /// The numbers of the latent that keys and values are made of; nil without one.
  private let keyValueLatent: Int?
  private let vocabulary: Int
  private let tiedEmbeddings: Bool
  private let context: Int?
  private let slidingWindow: Int?
  private let ropeBase: Double
  private let ropeScaling: String?
  private let parameters: Int
  private let activeParameters: Int
  private let types: [String: Int]
  private let bytes: Int
  private let shards: Int
  private let fingerprint: String
  private let tokenizer: String
  private let sites: [Row]
  package let routing: RoutingTables?

  private struct Row: Encodable {
    let tensor: String
    let layer: Int
    let expert: Int?
    let role: String
    let rows: Int
    let columns: Int
    let type: String
    /// Of a matrix that is stored as two factors.
    let factorRank: Int?

    private enum CodingKeys: String, CodingKey {
      case tensor, layer, expert, role, rows, columns, type
      case factorRank = "factor_rank"
    }
  }

  /// - Parameter tokenizer: A few words on it.
  package init(_ loaded: Model, tokenizer: String, routing: RoutingTables?) throws {
    let configuration = loaded.configuration
    let checkpoint = loaded.checkpoint
    model = checkpoint.path
    architecture =
      checkpoint.configuration["architectures"]?.array?.first?.string
      ?? checkpoint.configuration["model_type"]?.string ?? "unknown"
    layers = configuration.layerCount
    experts = configuration.mixture?.expertCount
    expertsPerToken = configuration.mixture?.expertsPerToken
    hiddenSize = configuration.hiddenSize
    intermediateSize = configuration.mixture?.intermediateSize ?? configuration.intermediateSize
    sharedIntermediateSize = configuration.mixture?.sharedIntermediateSize
    heads = configuration.heads.count
    keyValueHeads = configuration.heads.keyValueCount
    headDimension = configuration.heads.dimension
    let linear = loaded.layout.layers.count { if case .delta = $0.attention { true } else { false } }
    linearLayers = linear == 0 ? nil : linear
    keyValueLatent =
      loaded.layout.layers.lazy.compactMap { layer in
        if case .latent(let latent) = layer.attention { latent.keyValueUp.columns } else { nil }
      }.first
    vocabulary = configuration.vocabularySize
    tiedEmbeddings = configuration.tiesEmbeddings
    context = checkpoint.configuration["max_position_embeddings"]?.integer
    slidingWindow = loaded.layout.layers.compactMap(\.slidingWindow).min()
    ropeBase = configuration.rotary.base
    ropeScaling = Self.name(configuration.rotary.scaling)
    parameters = checkpoint.parameterCount
    activeParameters = parameters - (try Self.idleParameters(loaded))
    bytes = checkpoint.byteCount
    shards = checkpoint.fileCount
    fingerprint = checkpoint.fingerprint.description
    self.tokenizer = tokenizer
    self.routing = routing
    sites = try loaded.sites.map { site in
      let stored = try loaded.stored(loaded.reference(of: site))
      // What is made of numbers of few bits is called by these.
      let type = stored.region.makingByteCount > 0 ? checkpoint.scaledNumbers : nil
      return Row(
        tensor: loaded.reference(of: site).name, layer: site.layer, expert: site.expert, role: site.role.rawValue,
        rows: stored.rows, columns: stored.columns, type: type ?? stored.type.rawValue, factorRank: stored.factors?.rank
      )
    }
    types = sites.reduce(into: [:]) { $0[$1.type, default: 0] += 1 }
  }

  /// Of the experts that a token does not go to, which may be of different sizes: of as many of the mean one.
  private static func idleParameters(_ loaded: Model) throws -> Int {
    guard let mixture = loaded.configuration.mixture else { return 0 }
    return try loaded.layout.layers.reduce(0) { sum, layer in
      guard layer.router != nil, !layer.experts.isEmpty else { return sum }
      let count = try layer.experts.flatMap { [$0.gate, $0.up, $0.down] }.reduce(0) { sum, reference in
        let stored = try loaded.stored(reference)
        return sum + (stored.factors.map { $0.rank * ($0.rows + $0.columns) } ?? stored.rows * stored.columns)
      }
      return sum + count / layer.experts.count * (layer.experts.count - mixture.expertsPerToken)
    }
  }

  private static func name(_ scaling: RotaryConfiguration.Scaling) -> String? {
    switch scaling {
    case .none: nil
    case .linear(let factor): "linear, factor \(factor)"
    case .llama3(let factor, _, _, _): "llama3, factor \(factor)"
    case .yarn(let factor, _, _, _): "yarn, factor \(factor)"
    case .proportional(let pairs, _): "proportional, \(pairs) pairs"
    case .divided: "a factor for each frequency"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case model, architecture, layers, experts, heads, vocabulary, context, parameters, types, bytes, shards, fingerprint
    case tokenizer, sites, routing
    case expertsPerToken = "experts_per_token"
    case hiddenSize = "hidden_size"
    case intermediateSize = "intermediate_size"
    case keyValueHeads = "key_value_heads"
    case headDimension = "head_dimension"
    case linearLayers = "linear_attention_layers"
    case keyValueLatent = "key_value_latent"
    case tiedEmbeddings = "tied_embeddings"
    case slidingWindow = "sliding_window"
    case ropeBase = "rope_base"
    case ropeScaling = "rope_scaling"
    case sharedIntermediateSize = "shared_intermediate_size"
    case activeParameters = "active_parameters"
  }

  // MARK: Text

  private var attention: String {
    let own = "\(heads) heads of \(headDimension), "
    let sources =
      keyValueLatent.map { "keys and values made of latents of \($0)" } ?? "\(keyValueHeads) for keys and values"
    guard let linearLayers else { return own + sources }
    return "linear in \(linearLayers) layers, in the others " + own + sources
  }

  package var plain: String {
    let mixture = experts.map { "\(Numbers.grouped($0)), \(expertsPerToken ?? $0) of them work on a token" }
    let width =
      "\(Numbers.grouped(hiddenSize)), \(Numbers.grouped(intermediateSize)) within \(mixture == nil ? "a layer" : "an expert")"
      + (sharedIntermediateSize.map { ", \(Numbers.grouped($0)) within the shared one" } ?? "")
    let factored = sites.count { $0.factorRank != nil }
    let entries: [(String, String?)] = [
      ("model", model), ("architecture", architecture), ("fingerprint", fingerprint), ("layers", "\(layers)"),
      ("experts", mixture ?? "none, a dense model"),
      ("hidden size", width),
      ("attention", attention),
      (
        "context",
        [
          context.map { "\(Numbers.grouped($0)) tokens" },
          slidingWindow.map { "sliding window of \(Numbers.grouped($0))" },
        ]
        .compactMap(\.self).joined(separator: ", ")
      ), ("rope", "base \(Numbers.significant(ropeBase, 6))\(ropeScaling.map { ", scaling \($0)" } ?? "")"),
      ("vocabulary", "\(Numbers.grouped(vocabulary))\(tiedEmbeddings ? ", embedding and head are one matrix" : "")"),
      ("tokenizer", tokenizer),
      (
        "parameters",
        Self.count(parameters)
          + (activeParameters < parameters ? ", \(Self.count(activeParameters)) active for a token" : "")
      ),
      (
        "weights",
        "\(types.keys.sorted().joined(separator: ", ")), \(Numbers.bytes(bytes)) in \(shards) \(shards == 1 ? "file" : "files")"
          + (factored > 0 ? ", \(Numbers.grouped(factored)) matrices as two factors" : "")
      ), ("matrices", siteSummary),
    ]
    return entries.compactMap { name, value in
      value.flatMap { $0.isEmpty ? nil : "  " + name + String(repeating: " ", count: 14 - name.count) + $0 + "\n" }
    }.joined()
  }

  /// "96 can be reduced: 6 layers × (q_proj, k_proj, v_proj, o_proj + 4 experts × (w1, w2, w3))"
  private var siteSummary: String {
    let shared = Role.allCases.filter { role in sites.contains { $0.role == role.rawValue && $0.expert == nil } }
    let own = Role.allCases.filter { role in sites.contains { $0.role == role.rawValue && $0.expert != nil } }
    func names(_ roles: [Role]) -> String { roles.map(\.rawValue).joined(separator: ", ") }
    return "\(Numbers.grouped(sites.count)) can be reduced: in each layer\n                \(names(shared))"
      + (own.isEmpty ? "" : "\n                and \(names(own)) of each expert")
  }

  package var siteTable: String {
    var table = Table(["tensor", "layer", "expert", "role", "rows", "columns", "type"])
    for site in sites {
      table.append([
        site.tensor, "\(site.layer)", site.expert.map(String.init) ?? "–", site.role, "\(site.rows)", "\(site.columns)",
        site.type + (site.factorRank.map { ", factors of rank \($0)" } ?? ""),
      ])
    }
    return table.plain + "\n"
  }

  /// 4.1 M, 46.7 B: parameters are counted in these.
  private static func count(_ value: Int) -> String {
    let units = [(1e9, "B"), (1e6, "M"), (1e3, "k")]
    for (size, name) in units where Double(value) >= size { return "\(Numbers.fixed(Double(value) / size, 1)) \(name)" }
    return "\(value)"
  }
}
