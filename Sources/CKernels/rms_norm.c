#include "CKernels.h"
#include "dispatch.h"
#include <math.h>

DISPATCHED void laser_rms_norm(const float *source, size_t source_stride, const float *weight, float epsilon,
                               float *target, size_t target_stride, size_t rows, size_t columns) {
  REASSOCIATE
  for (size_t r = 0; r < rows; r++) {
    const float *in = source + r * source_stride;
    float *out = target + r * target_stride;
    float sum = 0;
    for (size_t c = 0; c < columns; c++) sum += in[c] * in[c];
    const float factor = 1.0f / sqrtf(sum / (float)columns + epsilon);
    for (size_t c = 0; c < columns; c++) out[c] = weight[c] * (in[c] * factor);
  }
}

// No two of a row's pointers overlap.
static inline void gradient_row(const float *restrict in, const float *restrict weight, float epsilon,
                                const float *restrict gradient, float *restrict out, size_t columns) {
  REASSOCIATE
  float sum = 0, along = 0;
  for (size_t c = 0; c < columns; c++) {
    sum += in[c] * in[c];
    along += weight[c] * gradient[c] * in[c];
  }
  const float factor = 1.0f / sqrtf(sum / (float)columns + epsilon);
  const float back = factor * factor * (along / (float)columns);
  for (size_t c = 0; c < columns; c++) out[c] += factor * (weight[c] * gradient[c] - in[c] * back);
}

DISPATCHED void laser_rms_norm_gradient(const float *source, size_t source_stride, const float *weight, float epsilon,
                                        const float *gradient, size_t gradient_stride, float *result,
                                        size_t result_stride, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++)
    gradient_row(source + r * source_stride, weight, epsilon, gradient + r * gradient_stride,
                 result + r * result_stride, columns);
}
