#include "CKernels.h"
#include "dispatch.h"
#include "exponential.h"

// A row of gate and one of up do not overlap, though their matrices may be halves of one.
static inline void swiglu_row(float *restrict gate, const float *restrict up, size_t columns) {
  for (size_t i = 0; i < columns; i++) gate[i] = gate[i] / (1.0f + exponential(-gate[i])) * up[i];
}

DISPATCHED void laser_swiglu(float *gate, size_t gate_stride, const float *up, size_t up_stride, size_t rows,
                             size_t columns) {
  for (size_t r = 0; r < rows; r++) swiglu_row(gate + r * gate_stride, up + r * up_stride, columns);
}

static inline void gradient_row(float *restrict gate, float *restrict up, const float *restrict gradient,
                                size_t columns) {
  for (size_t i = 0; i < columns; i++) {
    const float a = gate[i], b = up[i], g = gradient[i];
    const float sigmoid = 1.0f / (1.0f + exponential(-a));
    gate[i] = g * b * (sigmoid * (1.0f + a * (1.0f - sigmoid)));
    up[i] = g * (a * sigmoid);
  }
}

DISPATCHED void laser_swiglu_gradient(float *gate, size_t gate_stride, float *up, size_t up_stride,
                                      const float *gradient, size_t gradient_stride, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++)
    gradient_row(gate + r * gate_stride, up + r * up_stride, gradient + r * gradient_stride, columns);
}

static inline void clamped_row(float *restrict gate, const float *restrict up, size_t columns, float slope,
                               float limit) {
  for (size_t i = 0; i < columns; i++) {
    const float a = gate[i] < limit ? gate[i] : limit;
    const float bounded = up[i] < limit ? up[i] : limit;
    const float b = bounded > -limit ? bounded : -limit;
    gate[i] = a / (1.0f + exponential(-slope * a)) * (b + 1.0f);
  }
}

DISPATCHED void laser_clamped_swiglu(float *gate, size_t gate_stride, const float *up, size_t up_stride, size_t rows,
                                     size_t columns, float slope, float limit) {
  for (size_t r = 0; r < rows; r++) clamped_row(gate + r * gate_stride, up + r * up_stride, columns, slope, limit);
}

// Nothing passes where a number was cut.
static inline void clamped_gradient_row(float *restrict gate, float *restrict up, const float *restrict gradient,
                                        size_t columns, float slope, float limit) {
  for (size_t i = 0; i < columns; i++) {
    const float a = gate[i] < limit ? gate[i] : limit;
    const float bounded = up[i] < limit ? up[i] : limit;
    const float b = bounded > -limit ? bounded : -limit;
    const float g = gradient[i];
    const float sigmoid = 1.0f / (1.0f + exponential(-slope * a));
    const float at_gate = g * (b + 1.0f) * (sigmoid * (1.0f + slope * a * (1.0f - sigmoid)));
    const float at_up = g * (a * sigmoid);
    gate[i] = gate[i] <= limit ? at_gate : 0.0f;
    up[i] = up[i] <= limit && up[i] >= -limit ? at_up : 0.0f;
  }
}

DISPATCHED void laser_clamped_swiglu_gradient(float *gate, size_t gate_stride, float *up, size_t up_stride,
                                              const float *gradient, size_t gradient_stride, size_t rows,
                                              size_t columns, float slope, float limit) {
  for (size_t r = 0; r < rows; r++)
    clamped_gradient_row(gate + r * gate_stride, up + r * up_stride, gradient + r * gradient_stride, columns, slope,
                         limit);
}
