#include "CKernels.h"
#include "dispatch.h"

DISPATCHED void laser_rotate(float *heads, size_t stride, size_t rows, size_t head_count, size_t dimension,
                             const float *cosines, const float *sines, bool inverse) {
  const size_t half = dimension / 2;
  const float sign = inverse ? -1.0f : 1.0f;
  for (size_t r = 0; r < rows; r++) {
    const float *c = cosines + r * half;
    const float *s = sines + r * half;
    for (size_t h = 0; h < head_count; h++) {
      float *low = heads + r * stride + h * dimension;
      float *high = low + half;
      for (size_t i = 0; i < half; i++) {
        const float a = low[i], b = high[i], sine = sign * s[i];
        low[i] = a * c[i] - b * sine;
        high[i] = b * c[i] + a * sine;
      }
    }
  }
}

DISPATCHED void laser_rotate_interleaved(float *heads, size_t stride, size_t rows, size_t head_count, size_t dimension,
                                         const float *cosines, const float *sines, bool inverse) {
  const size_t half = dimension / 2;
  const float sign = inverse ? -1.0f : 1.0f;
  for (size_t r = 0; r < rows; r++) {
    const float *c = cosines + r * half;
    const float *s = sines + r * half;
    for (size_t h = 0; h < head_count; h++) {
      float *head = heads + r * stride + h * dimension;
      for (size_t i = 0; i < half; i++) {
        const float a = head[2 * i], b = head[2 * i + 1], sine = sign * s[i];
        head[2 * i] = a * c[i] - b * sine;
        head[2 * i + 1] = b * c[i] + a * sine;
      }
    }
  }
}
