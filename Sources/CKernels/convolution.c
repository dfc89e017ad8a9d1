#include "CKernels.h"
#include "dispatch.h"

DISPATCHED void laser_causal_convolution(const float *source, size_t source_stride, const float *weights, size_t width,
                                         size_t rows, size_t channels, float *target, size_t target_stride) {
  for (size_t r = 0; r < rows; r++) {
    float *restrict out = target + r * target_stride;
    for (size_t c = 0; c < channels; c++) out[c] = 0;
    for (size_t w = 0; w < width; w++) {
      const float *restrict in = source + (r + w) * source_stride;
      const float *restrict row = weights + w * channels;
      for (size_t c = 0; c < channels; c++) out[c] += row[c] * in[c];
    }
  }
}

DISPATCHED void laser_causal_convolution_gradient(const float *gradient, size_t gradient_stride, const float *weights,
                                                  size_t width, size_t rows, size_t channels, float *result,
                                                  size_t result_stride) {
  for (size_t r = 0; r < rows; r++) {
    const float *restrict in = gradient + r * gradient_stride;
    for (size_t w = 0; w < width; w++) {
      float *restrict out = result + (r + w) * result_stride;
      const float *restrict row = weights + w * channels;
      for (size_t c = 0; c < channels; c++) out[c] += row[c] * in[c];
    }
  }
}
