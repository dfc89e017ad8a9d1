// How the scale of a group of numbers is found when it is quantised: small searches by least weighted squares. Sums are
// in ggml's order (ggml-quants.c, make_q*_quants), so that the bytes are its own.
#pragma once
#include "blocks.h"

// Groups that stay below are zeros.
static const float smallest_magnitude = 1e-15f;

// To the nearest whole number, ties to even; nothing here needs larger ones.
static inline int nearest(float value) {
  // So large a number is added that the sum has no bits below 1.
  const float shifted = fminf(fmaxf(value, -4194303.0f), 4194303.0f) + 12582912.0f;
  int32_t bits;
  memcpy(&bits, &shifted, 4);
  return (bits & 0x7FFFFF) - 0x400000;
}

// The number of largest magnitude, the first of several.
static inline float extreme(const float *numbers, int count) {
  float magnitude = 0, result = 0;
  for (int i = 0; i < count; i++) {
    if (fabsf(numbers[i]) > magnitude) {
      magnitude = fabsf(numbers[i]);
      result = numbers[i];
    }
  }
  return result;
}

static inline float sum_of_squares(const float *x, int count) {
  float result = 0;
  for (int i = 0; i < count; i++) result += x[i] * x[i];
  return result;
}

static inline float sum_of(const float *x, int count) {
  float result = 0;
  for (int i = 0; i < count; i++) result += x[i];
  return result;
}

// How much each number's error counts: its importance, and more for those that are large against the mean square.
static inline void weigh(const float *x, const float *importance, float mean_square, int count, float *weights) {
  for (int i = 0; i < count; i++) weights[i] = importance[i] * sqrtf(mean_square + x[i] * x[i]);
}

// Groups with a minimum: x = scale * n − minimum, n from 0 to `largest`. Least weighted squares (or absolute errors) over
// steps of a grid of scales from (largest + first) / range on.
struct grid {
  float first, width;
  int steps;
  bool absolute;
};

// Where the importance of the numbers is known.
static const struct grid weighted_grid = {-0.9f, 0.05f, 36, false};

static inline float fit_above_minimum(const float *x, const float *weights, int count, int largest, struct grid grid,
                                      uint8_t *numbers, float *minimum) {
  uint8_t candidate[32];
  float low = x[0], high = x[0], weight_sum = weights[0], x_sum = weights[0] * x[0];
  for (int i = 1; i < count; i++) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
    weight_sum += weights[i];
    x_sum += weights[i] * x[i];
  }
  if (low > 0) low = 0;
  *minimum = -low;
  if (high == low) {
    memset(numbers, 0, (size_t)count);
    return 0;
  }
  float inverse = (float)largest / (high - low);
  float scale = 1 / inverse;
  float best_error = 0;
  for (int i = 0; i < count; i++) {
    numbers[i] = (uint8_t)clamp(nearest(inverse * (x[i] - low)), 0, largest);
    const float difference = scale * (float)numbers[i] + low - x[i];
    best_error += weights[i] * (grid.absolute ? fabsf(difference) : difference * difference);
  }
  for (int step = 0; step <= grid.steps; step++) {
    inverse = (grid.first + grid.width * (float)step + (float)largest) / (high - low);
    float n_sum = 0, n2_sum = 0, xn_sum = 0;
    for (int i = 0; i < count; i++) {
      const int n = clamp(nearest(inverse * (x[i] - low)), 0, largest);
      candidate[i] = (uint8_t)n;
      const float weighted = weights[i] * (float)n;
      n_sum += weighted;
      n2_sum += weighted * (float)n;
      xn_sum += weighted * x[i];
    }
    const float determinant = weight_sum * n2_sum - n_sum * n_sum;
    if (!(determinant > 0)) continue;
    float new_scale = (weight_sum * xn_sum - x_sum * n_sum) / determinant;
    float new_low = (n2_sum * x_sum - n_sum * xn_sum) / determinant;
    if (new_low > 0) {
      new_low = 0;
      new_scale = xn_sum / n2_sum;
    }
    float error = 0;
    for (int i = 0; i < count; i++) {
      const float difference = new_scale * (float)candidate[i] + new_low - x[i];
      error += weights[i] * (grid.absolute ? fabsf(difference) : difference * difference);
    }
    if (error < best_error) {
      memcpy(numbers, candidate, (size_t)count);
      best_error = error;
      scale = new_scale;
      low = new_low;
    }
  }
  *minimum = -low;
  return scale;
}

// Groups around zero: x = scale * n, n from −bound to bound − 1, stored as n + bound; at most 32 of them. The best of
// nineteen scales about the one that fits the extreme. Without weights, squares are weighted with squares.
static inline float fit_around_zero(const float *x, const float *weights, int count, int bound, uint8_t *numbers) {
  const float top = extreme(x, count);
  if (fabsf(top) < smallest_magnitude) {
    memset(numbers, 0, (size_t)count);
    return 0;
  }
  float scale = 0, best = 0;
  for (int attempt = 0; attempt < 19; attempt++) {
    const int step = attempt == 0 ? 0 : attempt <= 9 ? attempt - 10 : attempt - 9;
    const float inverse = step == 0 ? (float)-bound / top : -((float)bound + 0.1f * (float)step) / top;
    uint8_t candidate[32];
    float xn_sum = 0, n2_sum = 0;
    for (int i = 0; i < count; i++) {
      const int n = clamp(nearest(inverse * x[i]), -bound, bound - 1);
      candidate[i] = (uint8_t)(n + bound);
      const float weight = weights ? weights[i] : x[i] * x[i];
      xn_sum += weight * x[i] * (float)n;
      n2_sum += weight * (float)n * (float)n;
    }
    if (attempt == 0 || (n2_sum > 0 && xn_sum * xn_sum > best * n2_sum)) {
      memcpy(numbers, candidate, (size_t)count);
      scale = n2_sum != 0 ? xn_sum / n2_sum : 0;
      best = scale * xn_sum;
    }
  }
  return scale;
}

static inline int at_most(int value, int bound) { return value < bound ? value : bound; }

// Numbers that are hardly ever negative: x = scale * n, n from 0 to `largest`. The best of nine scales, then one number at
// a time is changed while that brings the error down. A negative number wraps to 8 bits where ggml's does.
static inline float fit_positive(const float *x, const float *weights, int count, int largest, uint8_t *numbers) {
  float top = 0;
  for (int i = 0; i < count; i++) top = x[i] > top ? x[i] : top;
  if (top < smallest_magnitude) {
    memset(numbers, 0, (size_t)count);
    return 0;
  }
  float inverse = 0, best_error = 0;
  for (int attempt = 0; attempt < 9; attempt++) {
    const int step = attempt == 0 ? 0 : attempt <= 4 ? attempt - 5 : attempt - 4;
    const float new_inverse = (0.1f * (float)step + (float)largest) / top, scale = 1 / new_inverse;
    float error = 0;
    for (int i = 0; i < count; i++) {
      const int n = at_most(nearest(new_inverse * x[i]), largest);
      const float difference = x[i] - scale * (float)(attempt == 0 ? (uint8_t)n : n);
      error += weights[i] * difference * difference;
    }
    if (attempt == 0 || error < best_error) {
      inverse = new_inverse;
      best_error = error;
    }
  }
  float xn_sum = 0, n2_sum = 0;
  for (int i = 0; i < count; i++) {
    const int n = at_most(nearest(inverse * x[i]), largest);
    numbers[i] = (uint8_t)n;
    xn_sum += weights[i] * x[i] * (float)n;
    n2_sum += weights[i] * (float)n * (float)n;
  }
  for (int round = 0; round < 5; round++) {
    bool changed = false;
    for (int i = 0; i < count; i++) {
      float other_xn = xn_sum - weights[i] * x[i] * (float)numbers[i];
      float other_n2 = n2_sum - weights[i] * (float)numbers[i] * (float)numbers[i];
      if (!(other_xn > 0) || !(other_n2 > 0)) continue;
      const int better = at_most(nearest(x[i] * other_n2 / other_xn), largest);
      if (better == numbers[i]) continue;
      other_xn += weights[i] * x[i] * (float)better;
      other_n2 += weights[i] * (float)better * (float)better;
      if (other_xn * other_xn * n2_sum > xn_sum * xn_sum * other_n2) {
        numbers[i] = (uint8_t)better;
        xn_sum = other_xn;
        n2_sum = other_n2;
        changed = true;
      }
    }
    if (!changed) break;
  }
  return n2_sum > 0 ? xn_sum / n2_sum : 0;
}
