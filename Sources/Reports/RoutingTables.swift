package import Evaluation
internal import Inference

/// Where a model's router sends the tokens of some texts: one table a text for people, one object a text for programs.
package struct RoutingTables: Encodable, Sendable {
  package let corpora: [Corpus]

  /// - Parameter statistics: By text, in order.
  package init(_ statistics: [(text: String, routing: RoutingStatistics)]) {
    corpora = statistics.map { Corpus(text: $0.text, $0.routing) }
  }

  package struct Corpus: Encodable, Sendable {
    package let text: String
    package let tokens: Int
    package let layers: [Layer]
  }

  package struct Layer: Encodable, Sendable {
    package let layer: Int
    package let experts: [Expert]
    package let balance: Double
    /// Absent in the first layer.
    package let overlap: Double?
    /// Absent where it is infinite, which JSON cannot say.
    package let condition: Double?
    package let dead: [Int]
    package let overloaded: [Int]
    /// Switch's load-balancing loss: 1 is even. Absent where it is not known.
    package let balanceLoss: Double?
    /// Shares of the choices beyond the experts' capacity, by the factors of `capacityFactors`.
    package let overflow: [Overflow]

    enum CodingKeys: String, CodingKey {
      case layer, experts, balance, overlap, condition, dead, overloaded, overflow
      case balanceLoss = "balance_loss"
    }
  }

  package struct Overflow: Encodable, Sendable {
    package let capacityFactor: Double
    package let share: Double

    enum CodingKeys: String, CodingKey {
      case capacityFactor = "capacity_factor"
      case share
    }
  }

  package struct Expert: Encodable, Sendable {
    package let tokens: Int
    package let share: Double
    package let meanWeight: Double

    enum CodingKeys: String, CodingKey {
      case tokens, share
      case meanWeight = "mean_weight"
    }
  }

  package func encode(to encoder: any Encoder) throws { try corpora.encode(to: encoder) }

  // MARK: Text

  /// A mixture of more experts is summed up by its least and its most used one.
  private static let widestTable = 8

  package var plain: String {
    let weights = corpora.allSatisfy { $0.hasRoomForWeights } ? ", with the mean weight" : ""
    let head = """
      Share of the router's choices by expert, in %\(weights).
        balance    1 where all experts work as much, 0 where one does all
        overlap    share of choices that repeat the layer before
        condition  of the router's matrix, σ₁ / σₙ
        † dead: below a twentieth of an equal share    * overloaded: above one and a half
        loss       Switch's load-balancing loss, 1 where all is even
        over       share of the choices, in %, beyond a capacity of so many equal shares
      """
    return
      (["  " + head]
      + corpora.map {
        "  \($0.text), \(Numbers.grouped($0.tokens)) tokens\n\n" + $0.table.plain + "\n\n" + $0.loads.plain
      })
      .joined(separator: "\n\n") + "\n"
  }
}

extension RoutingTables.Corpus {
  fileprivate init(text: String, _ routing: RoutingStatistics) {
    self.text = text
    tokens = routing.tokens
    layers = routing.layers.enumerated().map { number, layer in
      RoutingTables.Layer(
        layer: number,
        experts: zip(layer.experts, layer.shares).map {
          RoutingTables.Expert(tokens: $0.tokens, share: $1, meanWeight: $0.meanWeight)
        },
        balance: layer.balance, overlap: layer.overlap,
        condition: layer.condition.isFinite ? layer.condition : nil, dead: layer.deadExperts,
        overloaded: layer.overloadedExperts, balanceLoss: layer.balanceLoss(tokens: routing.tokens),
        overflow: RoutingStatistics.Layer.capacityFactors.map {
          RoutingTables.Overflow(capacityFactor: $0, share: layer.overflow(capacityFactor: $0))
        })
    }
  }

  /// How even the loads are, in the numbers by which mixtures are trained; one row a layer.
  package var loads: Table {
    var table = Table(["layer", "loss"] + RoutingStatistics.Layer.capacityFactors.map { "over \(Numbers.plain($0))×" })
    for layer in layers {
      table.append(
        ["\(layer.layer)", layer.balanceLoss.map { Numbers.fixed($0, 3) } ?? "–"]
          + layer.overflow.map { Numbers.fixed(100 * $0.share, 1) })
    }
    return table
  }

  /// In 80 columns.
  fileprivate var hasRoomForWeights: Bool { (layers.map(\.experts.count).max() ?? 0) <= 4 }

  /// One row a layer.
  package var table: Table {
    let count = layers.map(\.experts.count).max() ?? 0
    let isWide = count > RoutingTables.widestTable
    let columns =
      isWide
      ? ["least", "most", "dead", "overloaded"] : (0..<count).map { hasRoomForWeights ? "expert \($0)" : "e\($0)" }
    var table = Table(["layer"] + columns + ["balance", "overlap", "condition"])
    for layer in layers {
      table.append(
        ["\(layer.layer)"] + (isWide ? layer.summary : layer.cells(count, withWeights: hasRoomForWeights)) + [
          Numbers.fixed(layer.balance, 3), layer.overlap.map { Numbers.fixed($0, 3) } ?? "–",
          layer.condition.map { Numbers.fixed($0, $0 < 100 ? 1 : 0) } ?? "∞",
        ])
    }
    return table
  }
}

extension RoutingTables.Layer {
  /// "31* 0.61", the share in %.
  fileprivate func cells(_ count: Int, withWeights: Bool) -> [String] {
    let (dead, overloaded) = (Set(dead), Set(overloaded))
    let cells = experts.indices.map { expert in
      let mark = dead.contains(expert) ? "†" : overloaded.contains(expert) ? "*" : " "
      let share = Numbers.fixed(100 * experts[expert].share, 0) + mark
      return withWeights ? "\(share) \(Numbers.fixed(experts[expert].meanWeight, 2))" : share
    }
    return cells + Array(repeating: "–", count: count - cells.count)
  }

  fileprivate var summary: [String] {
    func percent(_ share: Double?) -> String { share.map { Numbers.fixed(100 * $0, 1) } ?? "–" }
    let shares = experts.map(\.share)
    return [percent(shares.min()), percent(shares.max()), "\(dead.count)", "\(overloaded.count)"]
  }
}
