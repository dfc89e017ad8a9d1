internal import CKernels

/// What a feed-forward layer makes of its two first projections, the gate and up.
package enum GatedActivation: Sendable, Equatable {
  /// silu(gate) ⊙ up, silu(x) = x σ(x) (SwiGLU, arXiv 2002.05202).
  case silu
  /// gelu(gate) ⊙ up (GeGLU), gelu by its approximation: x σ(2 √(2/π) (x + 0.044715 x³)).
  case geluTanh
  /// min(gate, limit) σ(slope · min(gate, limit)) ⊙ (up cut to ±limit, + 1): gpt-oss.
  case clampedSilu(slope: Float, limit: Float)

  /// gate becomes what the layer makes of gate and up; both (rows, channels).
  package func apply(gate: Matrix, up: Matrix) {
    precondition(gate.rows == up.rows && gate.columns == up.columns, "shapes differ")
    switch self {
    case .silu: laser_swiglu(gate.base, gate.stride, up.base, up.stride, gate.rows, gate.columns)
    case .geluTanh: laser_geglu(gate.base, gate.stride, up.base, up.stride, gate.rows, gate.columns)
    case .clampedSilu(let slope, let limit):
      laser_clamped_swiglu(gate.base, gate.stride, up.base, up.stride, gate.rows, gate.columns, slope, limit)
    }
  }

  /// The gradients of `apply`, in place: gate and up, as they were before it, become the gradients with respect to
  /// them, `gradient` being that with respect to its result. The three share no memory.
  ///
  /// For silu, with a the gate, b up and g the gradient: g ⊙ b ⊙ σ(a) ⊙ (1 + a ⊙ (1 − σ(a))), and g ⊙ silu(a).
  package func propagate(gate: Matrix, up: Matrix, gradient: Matrix) {
    precondition(gate.rows == up.rows && gate.columns == up.columns, "shapes differ")
    precondition(gate.rows == gradient.rows && gate.columns == gradient.columns, "shapes differ")
    switch self {
    case .silu:
      laser_swiglu_gradient(
        gate.base, gate.stride, up.base, up.stride, gradient.base, gradient.stride, gate.rows, gate.columns)
    case .geluTanh:
      laser_geglu_gradient(
        gate.base, gate.stride, up.base, up.stride, gradient.base, gradient.stride, gate.rows, gate.columns)
    case .clampedSilu(let slope, let limit):
      laser_clamped_swiglu_gradient(
        gate.base, gate.stride, up.base, up.stride, gradient.base, gradient.stride, gate.rows, gate.columns, slope,
        limit)
    }
  }
}
