import Evaluation
import Models
import Tensors
import Testing

@Suite struct PrecisionTests {
  private let reference = Reference.franken

  private func score(_ precision: Precision) throws -> Score {
    var model = try reference.model
    model.execution.precision = precision
    return try Evaluation(
      [reference.corpus("essays.search.txt")], convention: .windows, context: 256, tokenizer: reference.tokenizer
    ).score(model)
  }

  /// The weights are bfloat16 already; what is rounded is the states that enter each product, to a relative 2⁻⁹ = 2e-3. The
  /// roundings of a hundred and more terms of a sum average out, so a logit of magnitude 10 moves by some 1e-2, a token's
  /// nll as much, in either direction, and the mean over thousands of tokens by far less than 1e-2 / √1000 = 3e-4 and a bias
  /// of second order, (1e-2)² = 1e-4. A processor without such products takes float32, and nothing moves.
  @Test func bfloat16ChangesTheScoreByItsRoundingAlone() throws {
    let (exact, rounded) = (try score(.float32), try score(.bfloat16))
    #expect(abs(exact.meanNLL - rounded.meanNLL) < 1e-3)
    #expect((exact == rounded) == (Precision.bfloat16.here == .float32))
    #expect(try score(.bfloat16) == rounded)
  }
}
