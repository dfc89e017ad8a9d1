internal import Checkpoints
internal import Evaluation
internal import Inference
internal import Models
internal import RankReduction
internal import Tensors

/// What the steps of a search take on this machine, measured on one layer of the model itself with a few windows of the
/// search text.
struct CostSample {
  /// One layer forward, the vocabulary, the vocabulary backward, and one layer backward.
  let forward: Line
  let head: Line
  let headBackward: Line
  let backward: Line
  /// For a token and a unit of `SiteWork.directions`.
  let directions: Double
  /// For a unit of `SiteWork.decomposition`: a decomposition, and one whose directions are packed for products.
  let decomposition: Double
  let packedDecomposition: Double
  /// For a unit of `SiteWork.reduction`.
  let reduction: Double
  /// Groups of sites that do not differ from the base at all, as attention of a mixture whose experts alone were tuned:
  /// no filter changes anything there, and no model with one is measured.
  let idleGroups: Set<String>
  /// The layer's own multiplications for a token: others are measured by it.
  let layerWork: Double

  /// Seconds that grow with tokens.
  struct Line {
    let fixed: Double
    let perToken: Double

    /// Through two measurements, or in proportion to one.
    init(_ small: (tokens: Int, seconds: Double), _ large: (tokens: Int, seconds: Double)) {
      guard large.tokens > small.tokens else {
        (fixed, perToken) = (0, large.seconds / Double(max(1, large.tokens)))
        return
      }
      let slope = (large.seconds - small.seconds) / Double(large.tokens - small.tokens)
      let isUsable = slope > 0 && small.seconds >= slope * Double(small.tokens)
      perToken = isUsable ? slope : large.seconds / Double(large.tokens)
      fixed = isUsable ? small.seconds - slope * Double(small.tokens) : 0
    }

    /// - Parameter passes: How many times something is gone through for so many tokens in all.
    func seconds(_ tokens: Int, passes: Int = 1) -> Double { Double(passes) * fixed + perToken * Double(tokens) }
  }

  /// Decompositions beyond this many units are not measured, but computed from smaller ones.
  private static let mostDecomposition = 3e11
  /// A measurement that takes less says little.
  private static let leastSeconds = 0.25

  /// - Throws: `MemoryPlan.TooSmall` if the memory is not enough, and what reading the model throws.
  init(_ search: Search, memory: Int, scratchFolder: String, progress: (Double) throws -> Void) throws {
    let work = SiteWork(search)
    let layer = work.typicalLayer
    let plan = try ScorerMemory(
      search.model, search.text, memory: memory, others: search.reducer.byteCount(of: search.sites)
    )
    let model = search.model.within(plan.plan)
    let windows = search.text.windows.filter { $0.scoredCount > 0 }
    let limit = max(1, min(plan.limit, plan.gradientLimit))
    func pass(_ count: Int) throws -> ForwardPass { try ForwardPass(model, WindowBatch(Array(windows.prefix(count)))) }
    func time(_ body: () throws -> Void) throws -> Double {
      let clock = ContinuousClock()
      let start = clock.now
      try body()
      return (clock.now - start) / .seconds(1)
    }
    /// Seconds of a layer for some windows; what enters it are embeddings, which cost the same as any states.
    func layerSeconds(_ pass: ForwardPass) throws -> Double {
      let states = try pass.embeddings()
      return try time { try pass.run(layer: layer, states) }
    }
    // The first pass finds the pages of the file.
    let few = try pass(1)
    _ = try layerSeconds(few)
    var (count, large) = (1, few)
    var largeSeconds = try layerSeconds(few)
    while largeSeconds < Self.leastSeconds, count < windows.count, 2 * large.batch.tokens.count <= limit {
      count = min(windows.count, 2 * count)
      large = try pass(count)
      largeSeconds = try layerSeconds(large)
      try progress(0.1)
    }
    let passes = [few, large]
    func line(_ seconds: (ForwardPass) throws -> Double) throws -> Line {
      let points = try passes.map { (tokens: $0.batch.tokens.count, seconds: try seconds($0)) }
      return Line(points[0], points[1])
    }
    let layerLine = try line(layerSeconds)
    try progress(0.2)
    forward = layerLine
    head = try line { pass in
      let states = try pass.embeddings()
      return try time { _ = try pass.likelihoods(states) }
    }
    try progress(0.3)
    layerWork = work.layerWork(layer)
    let measured = try Self.decompositions(search, work, layer, time)
    (decomposition, reduction, idleGroups) = measured
    guard search.settings.strategy == .filters else {
      // Nothing goes backwards.
      (headBackward, backward, directions, packedDecomposition) = (head, layerLine, 0, 0)
      return
    }
    headBackward = try line { pass in
      let states = try pass.embeddings()
      return try time { _ = try GradientPass(pass).gradient(ofLast: states) }
    }
    try progress(0.4)
    func gradient(_ pass: ForwardPass) throws -> Matrix {
      try GradientPass(pass).gradient(ofLast: try pass.embeddings())
    }
    let backwardLine = try line { pass in
      let (states, gradient) = (try pass.embeddings(), try gradient(pass))
      return try time { try GradientPass(pass).run(layer: layer, states, gradient) { _ in } }
    }
    backward = backwardLine
    try progress(0.6)
    let sites = work.sample(layer, most: Self.mostDecomposition)
    let directionPass = DirectionPass(search.reducer, memory: memory / 4, scratchFolder: scratchFolder)
    let whole = try line { pass in
      let (states, gradient) = (try pass.embeddings(), try gradient(pass))
      let group = DirectionPass.Group(
        pass, folds: pass.batch.windows.indices.map { $0 % Folds.count }, gradient: gradient)
      return try time {
        try directionPass.run(
          layer: layer, sites: sites, groups: [group], foldCount: Folds.count, states: { _ in states }
        ) { _ in }
      }
    }
    try progress(0.9)
    let sampled = work.sum(sites)
    directions = max(0, whole.perToken - backwardLine.perToken) / max(1, sampled.directions)
    packedDecomposition = max(0, whole.fixed - backwardLine.fixed) / max(1, sampled.decomposition)
    try progress(1)
  }

  /// Seconds for a unit of decomposing, and of making a matrix of a decomposition.
  private static func decompositions(
    _ search: Search, _ work: SiteWork, _ layer: Int, _ time: (() throws -> Void) throws -> Double
  ) throws -> (decomposition: Double, reduction: Double, idle: Set<String>) {
    let sites = work.sample(layer, most: mostDecomposition)
    let sampled = work.sum(sites)
    var made: [SiteDecomposition] = []
    let seconds = try time {
      for decomposition in search.reducer.decompositions(of: sites) { made.append(try decomposition.get()) }
    }
    let ready = made
    let reducing = try time {
      // Half of each direction: a filter that leaves out nothing.
      let matrices = Parallelism.map(ready) { decomposition in
        Result { try decomposition.reduced(by: .factors(Array(repeating: 0.5, count: decomposition.fullRank))) }
      }
      for matrix in matrices { _ = try matrix.get() }
    }
    let groups = Dictionary(grouping: made) { SiteGroup.name(of: $0.site) }
    let idle = groups.filter { $0.value.allSatisfy { $0.spectrum.singularValues.first ?? 0 == 0 } }
    return (
      seconds / max(1, sampled.decomposition), reducing / max(1, sampled.reduction), Set(idle.keys)
    )
  }
}
