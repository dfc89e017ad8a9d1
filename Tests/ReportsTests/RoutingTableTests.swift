import Checkpoints
import Evaluation
import Foundation
import Reports
import Testing

/// Where tokens go, as people and as programs read it.
struct RoutingTableTests {
  private static func layer(
    _ tokens: [Int], repeated: Int? = nil, singularValues: [Double] = [3, 1], probability: Double? = nil
  ) -> RoutingStatistics.Layer {
    .init(
      experts: tokens.map { .init(tokens: $0, weight: 0.5 * Double($0), probability: probability) }, repeated: repeated,
      gateSingularValues: singularValues)
  }

  private static let statistics = RoutingStatistics(
    tokens: 1000,
    layers: [
      layer([1000, 995, 5, 0]),
      layer([500, 500, 500, 500], repeated: 1500, singularValues: [2, 0], probability: 250),
    ])

  @Test func text() {
    let text = RoutingTables([("tales.txt", Self.statistics)]).plain
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines[0].hasPrefix("  Share of the router's choices"))
    #expect(lines[7] == "  tales.txt, 1 000 tokens")
    #expect(
      Array(lines[8...]) == [
        "  layer  expert 0  expert 1  expert 2  expert 3  balance  overlap  condition",
        "  0      50* 0.50  50* 0.50   0† 0.50   0† 0.00    0.511        –        3.0",
        "  1      25  0.50  25  0.50  25  0.50  25  0.50    1.000    0.750          ∞",
        "  layer   loss  over 1×  over 1.25×  over 2×",
        "  0          –     49.8        37.3      0.0",
        "  1      1.000      0.0         0.0      0.0",
      ])
  }

  @Test func manyExpertsAreSummedUp() {
    let layer = Self.layer(Array(repeating: 10, count: 10) + [0, 100])
    let table = RoutingTables([("a", RoutingStatistics(tokens: 100, layers: [layer]))]).corpora[0].table
    #expect(table.header == ["layer", "least", "most", "dead", "overloaded", "balance", "overlap", "condition"])
    #expect(Array(table.rows[0].prefix(5)) == ["0", "0.0", "50.0", "1", "1"])
  }

  @Test func json() throws {
    let text = try jsonText(RoutingTables([("tales.txt", Self.statistics)]))
    let corpus = try #require(try JSON(parsing: Array(text.utf8)).array?.first)
    #expect(corpus["text"]?.string == "tales.txt" && corpus["tokens"]?.integer == 1000)
    let layers = try #require(corpus["layers"]?.array)
    #expect(
      layers[0]["dead"]?.array?.map(\.integer) == [2, 3] && layers[0]["overloaded"]?.array?.map(\.integer) == [0, 1])
    #expect(layers[0]["overlap"] == nil && layers[1]["overlap"]?.number == 0.75)
    #expect(layers[0]["balance_loss"] == nil && layers[1]["balance_loss"]?.number == 1)
    #expect(layers[0]["overflow"]?.array?.map { $0["capacity_factor"]?.number } == [1, 1.25, 2])
    #expect(layers[0]["overflow"]?.array?.map { $0["share"]?.number } == [0.4975, 0.3725, 0])
    #expect(layers[0]["condition"]?.number == 3 && layers[1]["condition"] == nil)
    let expert = try #require(layers[0]["experts"]?.array?.first)
    #expect(expert["share"]?.number == 0.5 && expert["mean_weight"]?.number == 0.5)
    #expect(expert["tokens"]?.integer == 1000)
  }

  /// What is made of each expert must not go through all of them again.
  @Test func thousandsOfExpertsTakeNoTime() throws {
    let wide = Self.layer(Array(0..<20_000))
    let deep = Array(repeating: Self.layer(Array(0..<100), repeated: 1), count: 1000)
    let start = Self.processorTime
    for layers in [[wide], deep] {
      let tables = RoutingTables([("a", RoutingStatistics(tokens: 1000, layers: layers))])
      #expect(tables.plain.contains("overloaded") && tables.corpora[0].layers[0].dead.count > 0)
      _ = try jsonText(tables)
    }
    #expect(Self.processorTime - start < .seconds(5))
  }

  /// Of this thread: what others do on the machine counts for nothing.
  private static var processorTime: Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
