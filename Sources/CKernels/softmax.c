#include "CKernels.h"
#include "dispatch.h"
#include "exponential.h"
#include <math.h>

// In lanes, because the compiler keeps the order of comparisons in a plain loop.
static inline float maximum_of(const float *values, size_t count) {
  enum { LANES = 32 };
  float lanes[LANES];
  for (size_t l = 0; l < LANES; l++) lanes[l] = -INFINITY;
  size_t c = 0;
  for (; c + LANES <= count; c += LANES)
    for (size_t l = 0; l < LANES; l++) lanes[l] = values[c + l] > lanes[l] ? values[c + l] : lanes[l];
  float maximum = -INFINITY;
  for (size_t l = 0; l < LANES; l++) maximum = lanes[l] > maximum ? lanes[l] : maximum;
  for (; c < count; c++) maximum = values[c] > maximum ? values[c] : maximum;
  return maximum;
}

DISPATCHED void laser_causal_softmax(float *scores, size_t stride, size_t rows, size_t columns, size_t start,
                                     size_t window, float scale, float sink) {
  REASSOCIATE
  for (size_t r = 0; r < rows; r++) {
    float *row = scores + r * stride;
    const size_t last = start + r + 1 < columns ? start + r + 1 : columns;
    const size_t first = last > window ? last - window : 0;
    float maximum = maximum_of(row + first, last - first);
    float sum = 0;
    if (sink != -INFINITY) {
      maximum = maximum * scale > sink ? maximum : sink / scale;
      sum = exponential(sink - maximum * scale);
    }
    for (size_t c = first; c < last; c++) {
      row[c] = exponential((row[c] - maximum) * scale);
      sum += row[c];
    }
    const float factor = 1.0f / sum;
    for (size_t c = first; c < last; c++) row[c] *= factor;
    for (size_t c = 0; c < first; c++) row[c] = 0;
    for (size_t c = last; c < columns; c++) row[c] = 0;
  }
}

// tanh(x) = 1 - 2 / (exp(2x) + 1), to about 1e-7 of the cap.
static inline float bounded_tangent(float x) { return 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f); }

DISPATCHED void laser_soft_cap(float *scores, size_t stride, size_t rows, size_t columns, float scale, float cap) {
  const float inner = scale / cap;
  for (size_t r = 0; r < rows; r++) {
    float *row = scores + r * stride;
    for (size_t c = 0; c < columns; c++) row[c] = cap * bounded_tangent(row[c] * inner);
  }
}

static inline void soft_cap_gradient_row(const float *restrict scores, float *restrict gradient, size_t columns,
                                         float scale, float inner) {
  for (size_t c = 0; c < columns; c++) {
    const float tangent = bounded_tangent(scores[c] * inner);
    gradient[c] *= scale * (1.0f - tangent * tangent);
  }
}

DISPATCHED void laser_soft_cap_gradient(const float *scores, size_t stride, float *gradient, size_t gradient_stride,
                                        size_t rows, size_t columns, float scale, float cap) {
  for (size_t r = 0; r < rows; r++)
    soft_cap_gradient_row(scores + r * stride, gradient + r * gradient_stride, columns, scale, scale / cap);
}

DISPATCHED void laser_accumulate_exponentials(const float *logits, size_t stride, size_t rows, size_t columns,
                                              float *maximum, double *sum) {
  REASSOCIATE
  for (size_t r = 0; r < rows; r++) {
    const float *row = logits + r * stride;
    const float block_maximum = maximum_of(row, columns);
    const float overall = block_maximum > maximum[r] ? block_maximum : maximum[r];
    float block_sum = 0;
    for (size_t c = 0; c < columns; c++) block_sum += exponential(row[c] - overall);
    sum[r] = sum[r] * (maximum[r] == -INFINITY ? 0.0 : exp((double)maximum[r] - (double)overall)) + (double)block_sum;
    maximum[r] = overall;
  }
}

static inline void gradient_row(const float *restrict weights, float *restrict gradient, size_t columns, float scale) {
  REASSOCIATE
  float mean = 0;
  for (size_t c = 0; c < columns; c++) mean += weights[c] * gradient[c];
  for (size_t c = 0; c < columns; c++) gradient[c] = weights[c] * (gradient[c] - mean) * scale;
}

DISPATCHED void laser_softmax_gradient(const float *weights, size_t weights_stride, float *gradient,
                                       size_t gradient_stride, size_t rows, size_t columns, float scale) {
  for (size_t r = 0; r < rows; r++)
    gradient_row(weights + r * weights_stride, gradient + r * gradient_stride, columns, scale);
}

DISPATCHED void laser_exponentials(float *logits, size_t stride, size_t rows, size_t columns, const double *log_sums) {
  for (size_t r = 0; r < rows; r++) {
    float *row = logits + r * stride;
    // What rounding takes from the logarithm comes back as a factor.
    const float log_sum = (float)log_sums[r];
    const float scale = (float)exp((double)log_sum - log_sums[r]);
    for (size_t c = 0; c < columns; c++) row[c] = exponential(row[c] - log_sum) * scale;
  }
}
