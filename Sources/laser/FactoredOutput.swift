internal import Checkpoints
internal import Models
internal import RankReduction
internal import Reports
internal import Tensors
internal import Wording

/// What becomes of a plan's matrices where they are written as two thin factors each.
struct FactoredOutput: Encodable {
  /// How many matrices are written as two factors.
  private(set) var factored = 0
  /// How many are written whole because factors of their rank would be larger.
  private(set) var tooHigh = 0
  /// How many are written whole because they are rows of a larger tensor.
  private(set) var partsOfTensors = 0
  /// Bytes less than the same plan takes without factors.
  private(set) var bytesSaved = 0

  /// - Throws: `InputError` if no matrix would be smaller.
  init(_ reductions: [Reduction], of reducer: Reducer) throws {
    var stacked: String?
    var largest: (rank: Int, reference: TensorReference)?
    for reduction in reductions {
      let reference = reducer.model.reference(of: reduction.site)
      let (rows, columns) = (reference.rows, reference.columns)
      if reducer.canBeFactored(reduction) {
        factored += 1
        let type = try reducer.model.stored(reference).type
        bytesSaved += type.byteCount(of: rows * columns - reduction.rank * (rows + columns))
      } else if LowRankFactors.saveNumbers(rank: reduction.rank, rows: rows, columns: columns), !reference.isWholeMatrix
      {
        partsOfTensors += 1
        stacked = stacked ?? reference.tensor
      } else {
        tooHigh += 1
        largest = largest ?? (LowRankFactors.largestSavingRank(rows: rows, columns: columns), reference)
      }
    }
    guard factored == 0, !reductions.isEmpty else { return }
    var reasons: [String] = []
    if let largest {
      reasons.append(
        "\(tooHigh == 1 ? "one keeps" : "\(tooHigh) keep") too high a rank (\(largest.reference.name) saves up to rank "
          + "\(largest.rank) of \(min(largest.reference.rows, largest.reference.columns)))")
    }
    if let stacked {
      reasons.append(
        "\(partsOfTensors == 1 ? "one is" : "\(partsOfTensors) are") rows of a larger tensor (\(stacked)), which stays whole"
      )
    }
    throw InputError(
      "no matrix of the plan would be smaller as two factors: \(reasons.joined(separator: ", ")); leave out '--factored'"
    )
  }

  /// Checks what a plan must be for its matrices to have low rank.
  static func refuseUnfit(_ plan: Plan, _ checkpoint: Checkpoint) throws {
    if checkpoint.gguf != nil {
      throw InputError(
        "\(checkpoint.path): GGUF has no factors; '--factored' is for folders with config.json and safetensors")
    }
    if plan.base != nil || plan.reductions.contains(where: { $0.kind == .delta }) {
      throw InputError(
        "the plan reduces differences to a base: with the base added, the matrices have full rank and no thin factors; "
          + "leave out '--factored', or write what is added to the base as an adapter with '--lora --for-base'")
    }
  }

  var line: String {
    var others: [String] = []
    if tooHigh > 0 { others.append("\(tooHigh) of too high a rank") }
    if partsOfTensors > 0 { others.append("\(partsOfTensors) in larger tensors") }
    return "  \(factored) stored as two factors, \(Numbers.bytes(bytesSaved)) less"
      + (others.isEmpty ? "." : "; whole: \(others.joined(separator: ", ")).") + "\n"
  }

  private enum CodingKeys: String, CodingKey {
    case factored
    case tooHigh = "whole_for_rank"
    case partsOfTensors = "whole_in_larger_tensors"
    case bytesSaved = "bytes_saved"
  }
}
