#include "CKernels.h"
#include "dispatch.h"
#include "exponential.h"

// 2 sqrt(2 / pi), and that times 0.044715.
static const float LINEAR = 1.5957691216057308f, CUBIC = 0.07135481282f;

// A row of gate and one of up do not overlap, though their matrices may be halves of one.
static inline void geglu_row(float *restrict gate, const float *restrict up, size_t columns) {
  for (size_t i = 0; i < columns; i++) {
    const float x = gate[i];
    gate[i] = x / (1.0f + exponential(-x * (LINEAR + CUBIC * x * x))) * up[i];
  }
}

DISPATCHED void laser_geglu(float *gate, size_t gate_stride, const float *up, size_t up_stride, size_t rows,
                            size_t columns) {
  for (size_t r = 0; r < rows; r++) geglu_row(gate + r * gate_stride, up + r * up_stride, columns);
}

static inline void gradient_row(float *restrict gate, float *restrict up, const float *restrict gradient,
                                size_t columns) {
  for (size_t i = 0; i < columns; i++) {
    const float x = gate[i], b = up[i], g = gradient[i];
    const float sigmoid = 1.0f / (1.0f + exponential(-x * (LINEAR + CUBIC * x * x)));
    gate[i] = g * b * (sigmoid * (1.0f + x * (1.0f - sigmoid) * (LINEAR + 3.0f * CUBIC * x * x)));
    up[i] = g * (x * sigmoid);
  }
}

DISPATCHED void laser_geglu_gradient(float *gate, size_t gate_stride, float *up, size_t up_stride,
                                     const float *gradient, size_t gradient_stride, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++)
    gradient_row(gate + r * gate_stride, up + r * up_stride, gradient + r * gradient_stride, columns);
}
