internal import Checkpoints
package import Inference
package import Models
internal import Processes
package import Tensors

/// Goes through a model's layers backwards and makes the statistics of their sites' directions: see
/// `DirectionStatistics`.
///
/// A layer is passed by all groups of windows, one after another. Where the directions of all its sites fit the
/// memory, they are made first and each gradient goes into the statistics at once. Otherwise gradients and inputs are
/// put aside on disk, and the sites are decomposed one after another: no more than one site's directions exist. The
/// statistics are the same to the bit either way, and whatever the groups, as long as windows come in the same order.
package struct DirectionPass {
  private let reducer: Reducer
  private let memory: Int
  private let scratchFolder: String
  /// Windows whose changes are kept until all processes have theirs.
  private let windowCount: Int

  /// - Parameters:
  ///   - memory: Bytes for directions: see `byteCount(of:)`.
  ///   - windows: Of all processes together.
  ///   - scratchFolder: Where gradients are put aside; on a disk with room for those of a layer.
  package init(_ reducer: Reducer, memory: Int = .max, windows: Int = 0, scratchFolder: String) {
    let processes = reducer.division.group
    // The same in all of them, since it decides what they do; windows of one length are divided evenly.
    windowCount = processes.isAlone ? 0 : windows / processes.count + 1
    self.reducer = reducer
    self.memory = memory
    self.scratchFolder = scratchFolder
  }

  /// Windows that pass the layers together.
  package struct Group {
    package let forward: ForwardPass
    /// By window of its batch: the fold that the window belongs to, from 0.
    package let folds: [Int]
    /// The gradient at the layer's output, (tokens, hidden); that at its input once the layer is passed.
    package let gradient: Matrix

    package init(_ forward: ForwardPass, folds: [Int], gradient: Matrix) {
      precondition(folds.count == forward.batch.windows.count, "one fold for each window")
      (self.forward, self.folds, self.gradient) = (forward, folds, gradient)
    }

    fileprivate var windowOfToken: [Int] {
      forward.batch.rows.enumerated().flatMap { Array(repeating: $0, count: $1.count) }
    }
  }

  /// What was found at a site.
  package struct Finding: Sendable {
    package let site: Site
    package let spectrum: Spectrum
    /// By fold.
    package let folds: [DirectionStatistics]
  }

  /// Bytes of the directions of some sites, all at once; where others have windows too, with the changes of this process's.
  package func byteCount(of sites: [Site]) -> Int {
    sites.reduce(0) { sum, site in
      let reference = reducer.model.reference(of: site)
      return sum + DirectionEffects.byteCount(rows: reference.rows, columns: reference.columns)
        + windowCount * min(reference.rows, reference.columns) * MemoryLayout<Double>.stride
    }
  }

  /// Bytes taken at most while the sites of a layer are gone through, beside the backward pass itself
  /// (`Model.bytesOfGradient`, which is over when this begins if directions are made one by one): a decomposition,
  /// directions, and what is made of a block of tokens.
  package func byteCount(ofLayer sites: [Site]) -> Int {
    let directions = byteCount(of: sites)
    let each = sites.map { byteCount(of: [$0]) }.max() ?? 0
    let scratch = sites.map { DirectionEffects.scratchByteCount(directions: reducer.fullRank(of: $0)) }.max() ?? 0
    return reducer.byteCount(of: sites) + (directions <= memory ? directions : each) + Parallelism.threads * scratch
  }

  /// Takes all groups' gradients from a layer's output to its input.
  ///
  /// - Parameters:
  ///   - sites: Sites of that layer, in the order in which they are to be reported.
  ///   - states: Lends what enters the layer, by group; it is left as it is.
  ///   - foldCount: How many folds there are.
  ///   - checkpoint: Called every second or so, single decompositions aside; may throw to end the work. The groups'
  ///     gradients are of no use then; findings that were reported are.
  ///   - report: Given each site as soon as it is done.
  package func run(
    layer: Int, sites: [Site], groups: [Group], foldCount: Int, states: (Int) throws -> Matrix,
    checkpoint: () throws -> Void = {}, report: (Finding) throws -> Void
  ) throws {
    precondition(sites.allSatisfy { $0.layer == layer }, "sites of other layers")
    if byteCount(of: sites) <= memory {
      try runTogether(layer, sites, groups, foldCount, states, checkpoint, report)
    } else {
      try runOneByOne(layer, sites, groups, foldCount, states, checkpoint, report)
    }
  }

  /// All sites' directions at once.
  private func runTogether(
    _ layer: Int, _ sites: [Site], _ groups: [Group], _ foldCount: Int, _ states: (Int) throws -> Matrix,
    _ checkpoint: () throws -> Void, _ report: (Finding) throws -> Void
  ) throws {
    var known: [Site: SiteDirections] = [:]
    for decomposition in reducer.decompositions(of: sites) {
      try checkpoint()
      let decomposition = try decomposition.get()
      try checkpoint()
      known[decomposition.site] = try SiteDirections(decomposition, foldCount: foldCount, reducer.division.group)
    }
    try passBack(layer, sites, groups, states, checkpoint) { group, gradient in
      try known[gradient.site]?.take(gradient, of: groups[group], number: group, checkpoint: checkpoint)
    }
    for site in sites {
      if let finding = known[site]?.finding(groups) { try report(finding) }
    }
  }

  /// One site's directions after another's, from gradients that were put aside.
  private func runOneByOne(
    _ layer: Int, _ sites: [Site], _ groups: [Group], _ foldCount: Int, _ states: (Int) throws -> Matrix,
    _ checkpoint: () throws -> Void, _ report: (Finding) throws -> Void
  ) throws {
    let scratch = try MatrixScratch(in: scratchFolder)
    var kept: [Site: [KeptGradient]] = [:]
    try passBack(layer, sites, groups, states, checkpoint) { group, gradient in
      kept[gradient.site, default: []].append(
        KeptGradient(
          group: group, tokens: gradient.tokens, inputs: try scratch.write(gradient.inputs),
          gradients: try scratch.write(gradient.gradients)))
    }
    for decomposition in reducer.decompositions(of: sites) {
      try checkpoint()
      let decomposition = try decomposition.get()
      try checkpoint()
      var directions = try SiteDirections(decomposition, foldCount: foldCount, reducer.division.group)
      for part in kept[decomposition.site] ?? [] {
        try checkpoint()
        let gradient = SiteGradient(
          site: decomposition.site, inputs: try scratch.read(part.inputs), gradients: try scratch.read(part.gradients),
          tokens: part.tokens)
        try directions.take(gradient, of: groups[part.group], number: part.group, checkpoint: checkpoint)
      }
      try report(directions.finding(groups))
    }
  }

  private func passBack(
    _ layer: Int, _ sites: [Site], _ groups: [Group], _ states: (Int) throws -> Matrix, _ checkpoint: () throws -> Void,
    _ observe: (Int, SiteGradient) throws -> Void
  ) throws {
    let observed = Set(sites)
    for (index, group) in groups.enumerated() {
      try GradientPass(group.forward).run(
        layer: layer, try states(index), group.gradient, observing: Set(sites.map(\.role)), checkpoint: checkpoint
      ) { gradient in
        if observed.contains(gradient.site) { try observe(index, gradient) }
      }
    }
  }

  /// What a group's tokens bring to a site, on disk.
  private struct KeptGradient {
    let group: Int
    let tokens: [Int32]
    let inputs: MatrixScratch.Place
    let gradients: MatrixScratch.Place
  }

  /// A site's directions, and what is known of its windows so far.
  private struct SiteDirections {
    let site: Site
    let spectrum: Spectrum
    /// Nil where the matrix is zero, as the difference of one that no tuning touched: dropping nothing changes nothing.
    private let effects: DirectionEffects?
    private let processes: ProcessGroup
    private var folds: [DirectionStatistics]
    /// Groups of which tokens came to the site.
    private var seen: Set<Int> = []
    /// The fold of each of this process's windows that had a token, and their changes, where other processes have windows too.
    private var ownFolds: [Int] = []
    private var ownChanges: [Double] = []

    init(_ decomposition: SiteDecomposition, foldCount: Int, _ processes: ProcessGroup) throws {
      (site, spectrum) = (decomposition.site, decomposition.spectrum)
      effects = decomposition.spectrum.singularValues.first ?? 0 > 0 ? try DirectionEffects(decomposition) : nil
      self.processes = processes
      folds = Array(repeating: DirectionStatistics(directions: decomposition.fullRank), count: foldCount)
    }

    mutating func take(
      _ gradient: SiteGradient, of group: Group, number: Int, checkpoint: () throws -> Void
    ) throws {
      guard let effects else { return }
      seen.insert(number)
      guard !processes.isAlone else {
        return try effects.add(
          gradient, windowOfToken: group.windowOfToken, folds: group.folds, to: &folds, checkpoint: checkpoint)
      }
      var empty = Set(group.folds.indices)
      try effects.forEachWindow(gradient, windowOfToken: group.windowOfToken, checkpoint: checkpoint) {
        empty.remove($0)
        ownFolds.append(group.folds[$0])
        ownChanges += $1
      }
      for window in empty { folds[group.folds[window]].takeEmptyWindows(1) }
    }

    /// With the windows of groups that no token came from.
    func finding(_ groups: [Group]) -> Finding {
      var folds = folds
      for (number, group) in groups.enumerated() where !seen.contains(number) {
        for fold in group.folds { folds[fold].takeEmptyWindows(1) }
      }
      guard !processes.isAlone else { return Finding(site: site, spectrum: spectrum, folds: folds) }
      let empty = processes.gather(folds.map(\.windows))
      let (allFolds, allChanges) = (processes.gather(ownFolds), processes.gather(ownChanges))
      let directions = spectrum.fullRank
      var sums = folds.map { _ in DirectionStatistics(directions: directions) }
      // Each process has windows that follow those of the one before.
      for (ofWindow, changes) in zip(allFolds, allChanges) {
        for (index, fold) in ofWindow.enumerated() {
          sums[fold].take(changes[index * directions..<(index + 1) * directions])
        }
      }
      for counts in empty { for (fold, count) in counts.enumerated() { sums[fold].takeEmptyWindows(count) } }
      return Finding(site: site, spectrum: spectrum, folds: sums)
    }
  }
}
