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
