#include "CKernels.h"
#include "dispatch.h"
#include "exponential.h"

static inline void gate_row(float *restrict values, const float *restrict gates, size_t columns) {
  for (size_t c = 0; c < columns; c++) values[c] /= 1.0f + exponential(-gates[c]);
}

DISPATCHED void laser_sigmoid_gate(float *values, size_t stride, const float *gates, size_t gate_stride, size_t rows,
                                   size_t columns) {
  for (size_t r = 0; r < rows; r++) gate_row(values + r * stride, gates + r * gate_stride, columns);
}

static inline void gradient_row(float *restrict gradient, const float *restrict values, float *restrict gates,
                                size_t columns) {
  for (size_t c = 0; c < columns; c++) {
    const float sigmoid = 1.0f / (1.0f + exponential(-gates[c]));
    gates[c] = gradient[c] * values[c] * sigmoid * (1.0f - sigmoid);
    gradient[c] *= sigmoid;
  }
}

DISPATCHED void laser_sigmoid_gate_gradient(float *gradient, size_t gradient_stride, const float *values, size_t stride,
                                            float *gates, size_t gate_stride, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++)
    gradient_row(gradient + r * gradient_stride, values + r * stride, gates + r * gate_stride, columns);
}
