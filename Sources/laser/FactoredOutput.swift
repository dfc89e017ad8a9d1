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
  /// How many bases of experts are written, which the factors of these are added to.
  private(set) var bases = 0
  /// How many are written whole because factors of their rank would be larger.
  private(set) var tooHigh = 0
  /// How many are written whole because they are rows of a larger tensor.
  private(set) var partsOfTensors = 0
  /// How many are written whole because what their factors save is less than the base that they are added to.
  private(set) var baseTooLarge = 0
  /// Bytes less than the same plan takes without factors.
  private(set) var bytesSaved = 0

  /// - Throws: `InputError` if no matrix would be smaller.
  init(_ reductions: [Reduction], of reducer: Reducer) throws {
    var stacked: String?
    var largest: (rank: Int, reference: TensorReference)?
    var sharedBytes: [String: Int] = [:]
    let forms = try reducer.factoredForms(of: reductions)
    for reduction in reductions {
      let reference = reducer.model.reference(of: reduction.site)
      let (rows, columns) = (reference.rows, reference.columns)
      if let form = forms[reduction.site] {
        factored += 1
        bytesSaved += try reducer.bytesSaved(by: reduction)
        if case .addedToBase(let base) = form { sharedBytes[base.name] = base.matrix.region.byteCount }
      } else if !LowRankFactors.saveNumbers(rank: reduction.rank, rows: rows, columns: columns)
        || reduction.filter.isScale && reduction.rank > 0
      {
        tooHigh += 1
        largest = largest ?? (LowRankFactors.largestSavingRank(rows: rows, columns: columns), reference)
      } else if !reference.isWholeMatrix, !reducer.isSeparable(reference) {
        partsOfTensors += 1
        stacked = stacked ?? reference.tensor
      } else {
        baseTooLarge += 1
      }
    }
    bases = sharedBytes.count
    bytesSaved -= sharedBytes.values.reduce(0, +)
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
    if baseTooLarge > 0 {
      reasons.append(
        "\(baseTooLarge == 1 ? "one is" : "\(baseTooLarge) are") added to a matrix of the base, which too few experts share or which is quantised"
      )
    }
    let other = reducer.base == nil ? "" : ", or write what is added to the base as an adapter with '--lora --for-base'"
    throw InputError(
      "no matrix of the plan would be smaller as two factors: \(reasons.joined(separator: ", ")); leave out "
        + "'--factored'\(other)")
  }

  /// Checks that the copy's form has factors.
  static func refuseUnfit(_ checkpoint: Checkpoint) throws {
    guard checkpoint.gguf == nil else {
      throw InputError(
        "\(checkpoint.path): GGUF has no factors; '--factored' is for folders with config.json and safetensors")
    }
  }

  var line: String {
    var others: [String] = []
    if tooHigh > 0 { others.append("\(tooHigh) of too high a rank") }
    if partsOfTensors > 0 { others.append("\(partsOfTensors) in larger tensors") }
    if baseTooLarge > 0 { others.append("\(baseTooLarge) of a base that too few experts share") }
    return "  \(factored) stored as two factors"
      + (bases > 0 ? " beside \(bases == 1 ? "a base" : "\(bases) bases") of experts" : "")
      + ", \(Numbers.bytes(bytesSaved)) less"
      + (others.isEmpty ? "." : "; whole: \(others.joined(separator: ", ")).") + "\n"
  }

  private enum CodingKeys: String, CodingKey {
    case factored, bases
    case tooHigh = "whole_for_rank"
    case partsOfTensors = "whole_in_larger_tensors"
    case baseTooLarge = "whole_for_base"
    case bytesSaved = "bytes_saved"
  }
}
