package import Tensors

extension AdapterFolder {
  /// A parameter that holds a matrix of each expert, (experts, out, in), and what is added to some of them.
  ///
  /// `lora_A` (experts · r, in) has the experts one below the other, `lora_B` (out, r · experts) for each direction the
  /// columns of all experts. All experts have one rank: what one has less is zeros. Source: github.com/huggingface/peft
  /// 0.21, src/peft/tuners/lora/layer.py (`ParamWrapper.get_delta_weight`).
  package struct Parameter: Sendable {
    /// "model.layers.0.mlp.experts.gate_up_proj"
    package let name: String
    package let rank: Int
    let left: StoredMatrix
    let right: StoredMatrix

    /// What is added to some rows of one expert's matrix.
    package struct Change: Sendable {
      package let expert: Int
      package let firstRow: Int
      package let factors: LowRankFactors

      package init(expert: Int, firstRow: Int, factors: LowRankFactors) {
        self.expert = expert
        self.firstRow = firstRow
        self.factors = factors
      }
    }

    /// - Throws: `StoredMatrix.NotFinite` for factors with a number that is none.
    package init(
      name: String, experts: Int, rows: Int, columns: Int, changes: [Change]
    ) throws(StoredMatrix.NotFinite) {
      self.name = name
      var ranks = Array(repeating: 0, count: experts)
      for change in changes { ranks[change.expert] += change.factors.rank }
      let rank = ranks.max() ?? 0
      let (below, beside) = (
        Matrix(rows: experts * rank, columns: columns), Matrix(rows: rows, columns: rank * experts)
      )
      var taken = Array(repeating: 0, count: experts)
      for change in changes {
        let (expert, first) = (change.expert, taken[change.expert])
        let (left, right) = (try change.factors.left.decoded(), try change.factors.right.decoded())
        let start = expert * rank + first
        below[rows: start..<start + right.rows].assign(right)
        for direction in 0..<left.columns {
          let column = (first + direction) * experts + expert
          for row in 0..<left.rows { beside[change.firstRow + row, column] = left[row, direction] }
        }
        taken[expert] += change.factors.rank
      }
      self.rank = rank
      left = StoredMatrix(rounding: DoubleMatrix(beside), to: .float32)
      right = StoredMatrix(rounding: DoubleMatrix(below), to: .float32)
    }

    package var byteCount: Int { left.region.byteCount + right.region.byteCount }

    /// The module that has the parameter: "model.layers.0.mlp.experts".
    private static func module(of name: String) -> String {
      name.split(separator: ".").dropLast().joined(separator: ".")
    }

    /// What the names of its two tensors begin with. Of two parameters of one module, PEFT wraps the first one's wrapper
    /// in the second's.
    func prefix(among all: [Parameter]) -> String {
      let module = Self.module(of: name)
      let last = all.last { Self.module(of: $0.name) == module }
      return "base_model.model.\(module)." + (last?.name == name ? "" : "base_layer.")
    }
  }
}
