// Quantisation to ggml's blocks of 256 numbers ("K"): a small search for the scale of every group of 16 or 32, then the
// scales themselves as small integers. Sums are in ggml's order (ggml-quants.c, quantize_row_*_K_ref), so that the
// bytes are its own.
#include "CKernels.h"
#include "blocks.h"

#pragma STDC FP_CONTRACT OFF

// Groups that stay below are zeros.
static const float smallest_magnitude = 1e-15f;

// To the nearest whole number, ties to even; nothing here needs larger ones.
static inline int nearest(float value) { return (int)rintf(fminf(fmaxf(value, -4194303.0f), 4194303.0f)); }

static inline uint8_t packed_scale(float value) {
  const uint8_t result = (uint8_t)nearest(value);
  return result > 63 ? 63 : result;
}

static inline float extreme_of_16(const float *x) {
  float magnitude = 0, result = 0;
  for (int i = 0; i < 16; i++) {
    if (fabsf(x[i]) > magnitude) {
      magnitude = fabsf(x[i]);
      result = x[i];
    }
  }
  return result;
}

// MARK: Groups with a minimum: number = scale * n − minimum, n from 0 to `largest`

// Least weighted squares (or absolute errors) over steps of a grid of scales from (largest + first) / range on.
static float fit_above_minimum(const float *x, const float *weights, int count, int largest, float first, int steps,
                               bool absolute, uint8_t *numbers, float *minimum) {
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
    best_error += weights[i] * (absolute ? fabsf(difference) : difference * difference);
  }
  for (int step = 0; step <= steps; step++) {
    inverse = (first + 0.1f * (float)step + (float)largest) / (high - low);
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
      error += weights[i] * (absolute ? fabsf(difference) : difference * difference);
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

// The numbers again, for the scale and minimum that the block will really hold.
static void renumber(const float *x, int count, float scale, float minimum, int largest, uint8_t *numbers) {
  if (scale == 0) return;
  for (int i = 0; i < count; i++) numbers[i] = (uint8_t)clamp(nearest((x[i] + minimum) / scale), 0, largest);
}

static inline float largest_of(const float *values, int count) {
  float result = 0;
  for (int i = 0; i < count; i++) result = values[i] > result ? values[i] : result;
  return result;
}

// 64 bytes of 2 bits: of each 128 numbers, those whose places differ by a multiple of 32 share a byte.
static void pack_2_bits(const uint8_t *numbers, uint8_t *target) {
  for (int i = 0; i < 64; i++) {
    const uint8_t *n = numbers + 128 * (i / 32) + i % 32;
    target[i] = (uint8_t)(n[0] | n[32] << 2 | n[64] << 4 | n[96] << 6);
  }
}

void laser_quantize_q2_k(const float *source, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  float scales[16], minima[16], weights[16];
  for (size_t done = 0; done < count; done += 256, block += 84, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 84, 80);
      continue;
    }
    for (int group = 0; group < 16; group++) {
      const float *x = source + 16 * group;
      for (int i = 0; i < 16; i++) weights[i] = fabsf(x[i]);
      scales[group] = fit_above_minimum(x, weights, 16, 3, -0.5f, 15, true, numbers + 16 * group, minima + group);
    }
    const float top_scale = largest_of(scales, 16), top_minimum = largest_of(minima, 16);
    for (int group = 0; group < 16; group++) {
      const int low = top_scale > 0 ? nearest(15 / top_scale * scales[group]) : 0;
      const int high = top_minimum > 0 ? nearest(15 / top_minimum * minima[group]) : 0;
      // A minimum may be below 0, which cannot be shifted.
      block[group] = (uint8_t)(low + 16 * high);
    }
    const float scale = store_scale(block + 80, top_scale > 0 ? top_scale / 15 : 0);
    const float minimum = store_scale(block + 82, top_minimum > 0 ? top_minimum / 15 : 0);
    for (int group = 0; group < 16; group++) {
      renumber(source + 16 * group, 16, scale * (float)(block[group] & 15), minimum * (float)(block[group] >> 4), 3,
               numbers + 16 * group);
    }
    pack_2_bits(numbers, block + 16);
  }
}

// Scales, minima and numbers of eight groups of 32, as Q4_K and Q5_K share them; the block begins with scale, minimum
// scale and 12 packed bytes.
static void quantize_eight_groups(const float *source, int largest, float first, int steps, uint8_t *block,
                                  uint8_t *numbers) {
  float scales[8], minima[8], weights[32];
  for (int group = 0; group < 8; group++) {
    const float *x = source + 32 * group;
    float squares = 0;
    for (int i = 0; i < 32; i++) squares += x[i] * x[i];
    const float typical = sqrtf(squares / 32);
    for (int i = 0; i < 32; i++) weights[i] = typical + fabsf(x[i]);
    scales[group] = fit_above_minimum(x, weights, 32, largest, first, steps, false, numbers + 32 * group, minima + group);
  }
  const float top_scale = largest_of(scales, 8), top_minimum = largest_of(minima, 8);
  const float inverse_scale = top_scale > 0 ? 63 / top_scale : 0;
  const float inverse_minimum = top_minimum > 0 ? 63 / top_minimum : 0;
  uint8_t *packed = block + 4;
  for (int group = 0; group < 8; group++) {
    const uint8_t scale = packed_scale(inverse_scale * scales[group]);
    const uint8_t minimum = packed_scale(inverse_minimum * minima[group]);
    if (group < 4) {
      packed[group] = scale;
      packed[group + 4] = minimum;
    } else {
      packed[group + 4] = (uint8_t)((scale & 15) | (minimum & 15) << 4);
      packed[group - 4] |= (uint8_t)(scale >> 4 << 6);
      packed[group] |= (uint8_t)(minimum >> 4 << 6);
    }
  }
  const float scale = store_scale(block, top_scale / 63), minimum = store_scale(block + 2, top_minimum / 63);
  for (int group = 0; group < 8; group++) {
    renumber(source + 32 * group, 32, scale * (float)k_group_scale(packed, group),
             minimum * (float)k_group_minimum(packed, group), largest, numbers + 32 * group);
  }
}

// 128 bytes of 4 bits: of each 64 numbers, those whose places differ by a multiple of 32 share a byte.
static void pack_4_bits(const uint8_t *numbers, uint8_t *target) {
  for (int i = 0; i < 128; i++) {
    const uint8_t *n = numbers + 64 * (i / 32) + i % 32;
    target[i] = (uint8_t)((n[0] & 15) | (n[32] & 15) << 4);
  }
}

void laser_quantize_q4_k(const float *source, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  for (size_t done = 0; done < count; done += 256, block += 144, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 144, 0);
      continue;
    }
    quantize_eight_groups(source, 15, -1, 20, block, numbers);
    pack_4_bits(numbers, block + 16);
  }
}

void laser_quantize_q5_k(const float *source, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  for (size_t done = 0; done < count; done += 256, block += 176, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 176, 0);
      continue;
    }
    quantize_eight_groups(source, 31, -0.5f, 15, block, numbers);
    for (int i = 0; i < 32; i++) {
      uint8_t fifth = 0;
      for (int group = 0; group < 8; group++) fifth |= (uint8_t)((numbers[32 * group + i] >> 4) << group);
      block[16 + i] = fifth;
    }
    pack_4_bits(numbers, block + 48);
  }
}

// MARK: Groups around zero: number = scale * n, n from −bound to bound − 1; stored as n + bound

// Starts from the scale that fits the extreme, then changes one number at a time while that brings the least squares
// down.
static float fit_q3_group(const float *x, uint8_t *numbers) {
  const int bound = 4;
  const float extreme = extreme_of_16(x);
  if (fabsf(extreme) < smallest_magnitude) {
    memset(numbers, 0, 16);
    return 0;
  }
  const float inverse = (float)-bound / extreme;
  float xn_sum = 0, n2_sum = 0;
  int n[16];
  for (int i = 0; i < 16; i++) {
    n[i] = clamp(nearest(inverse * x[i]), -bound, bound - 1);
    const float weight = x[i] * x[i];
    xn_sum += weight * x[i] * (float)n[i];
    n2_sum += weight * (float)n[i] * (float)n[i];
  }
  for (int round = 0; round < 5; round++) {
    bool changed = false;
    for (int i = 0; i < 16; i++) {
      const float weight = x[i] * x[i];
      float other_xn = xn_sum - weight * x[i] * (float)n[i];
      if (!(other_xn > 0)) continue;
      float other_n2 = n2_sum - weight * (float)n[i] * (float)n[i];
      const int better = clamp(nearest(x[i] * other_n2 / other_xn), -bound, bound - 1);
      if (better == n[i]) continue;
      other_xn += weight * x[i] * (float)better;
      other_n2 += weight * (float)better * (float)better;
      if (other_n2 > 0 && other_xn * other_xn * n2_sum > xn_sum * xn_sum * other_n2) {
        n[i] = better;
        xn_sum = other_xn;
        n2_sum = other_n2;
        changed = true;
      }
    }
    if (!changed) break;
  }
  for (int i = 0; i < 16; i++) numbers[i] = (uint8_t)(n[i] + bound);
  return n2_sum > 0 ? xn_sum / n2_sum : 0;
}

static void renumber_around_zero(const float *x, float scale, int bound, uint8_t *numbers) {
  if (scale == 0) return;
  for (int i = 0; i < 16; i++) numbers[i] = (uint8_t)(clamp(nearest(x[i] / scale), -bound, bound - 1) + bound);
}

void laser_quantize_q3_k(const float *source, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  float scales[16];
  for (size_t done = 0; done < count; done += 256, block += 110, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 110, 108);
      continue;
    }
    for (int group = 0; group < 16; group++) scales[group] = fit_q3_group(source + 16 * group, numbers + 16 * group);
    const float top = extreme_of_16(scales);
    memset(block, 0, 32);
    memset(block + 96, 0, 12);
    float scale = 0;
    if (top != 0) {
      const float inverse = -32 / top;
      for (int group = 0; group < 16; group++) {
        const int n = clamp(nearest(inverse * scales[group]), -32, 31) + 32;
        block[96 + group % 8] |= (uint8_t)((n & 15) << (group < 8 ? 0 : 4));
        block[104 + group % 4] |= (uint8_t)(n >> 4 << (2 * (group / 4)));
      }
      scale = 1 / inverse;
    }
    scale = store_scale(block + 108, scale);
    for (int group = 0; group < 16; group++) {
      renumber_around_zero(source + 16 * group, scale * (float)q3_k_group_scale(block + 96, group), 4,
                           numbers + 16 * group);
    }
    for (int i = 0; i < 256; i++) {
      block[i % 32] |= (uint8_t)((numbers[i] >> 2) << (i / 32));
      numbers[i] &= 3;
    }
    pack_2_bits(numbers, block + 32);
  }
}

// The best of nineteen scales about the one that fits the extreme, by squares weighted with squares.
static float fit_q6_group(const float *x, uint8_t *numbers) {
  const int bound = 32;
  const float extreme = extreme_of_16(x);
  if (fabsf(extreme) < smallest_magnitude) {
    memset(numbers, 0, 16);
    return 0;
  }
  float scale = 0, best = 0;
  for (int attempt = 0; attempt < 19; attempt++) {
    const int step = attempt == 0 ? 0 : attempt <= 9 ? attempt - 10 : attempt - 9;
    const float inverse = step == 0 ? (float)-bound / extreme : -((float)bound + 0.1f * (float)step) / extreme;
    uint8_t candidate[16];
    float xn_sum = 0, n2_sum = 0;
    for (int i = 0; i < 16; i++) {
      const int n = clamp(nearest(inverse * x[i]), -bound, bound - 1);
      candidate[i] = (uint8_t)(n + bound);
      const float weight = x[i] * x[i];
      xn_sum += weight * x[i] * (float)n;
      n2_sum += weight * (float)n * (float)n;
    }
    if (attempt == 0 || (n2_sum > 0 && xn_sum * xn_sum > best * n2_sum)) {
      memcpy(numbers, candidate, 16);
      scale = n2_sum != 0 ? xn_sum / n2_sum : 0;
      best = scale * xn_sum;
    }
  }
  return scale;
}

void laser_quantize_q6_k(const float *source, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  float scales[16];
  for (size_t done = 0; done < count; done += 256, block += 210, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 210, 208);
      continue;
    }
    for (int group = 0; group < 16; group++) scales[group] = fit_q6_group(source + 16 * group, numbers + 16 * group);
    const float top = extreme_of_16(scales);
    memset(block, 0, 210);
    if (fabsf(top) < smallest_magnitude) continue;
    const float inverse = -128 / top;
    const float scale = store_scale(block + 208, 1 / inverse);
    for (int group = 0; group < 16; group++) {
      const int n = clamp(nearest(inverse * scales[group]), -128, 127);
      block[192 + group] = (uint8_t)(int8_t)n;
      renumber_around_zero(source + 16 * group, scale * (float)n, 32, numbers + 16 * group);
    }
    for (int i = 0; i < 64; i++) {
      const uint8_t *n = numbers + 128 * (i / 32) + i % 32;
      uint8_t *low = block + 64 * (i / 32) + i % 32;
      low[0] = (uint8_t)((n[0] & 15) | (n[64] & 15) << 4);
      low[32] = (uint8_t)((n[32] & 15) | (n[96] & 15) << 4);
      block[128 + i] = (uint8_t)(n[0] >> 4 | n[32] >> 4 << 2 | n[64] >> 4 << 4 | n[96] >> 4 << 6);
    }
  }
}
