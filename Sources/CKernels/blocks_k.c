// Quantisation to ggml's blocks of 256 numbers ("K"): a small search for the scale of every group of 16 or 32, then the
// scales themselves as small integers. The bytes are ggml's own (ggml-quants.c): those of quantize_row_*_K_ref, and of
// quantize_row_*_K_impl where the importance of the numbers is known.
#include "CKernels.h"
#include "block_fits.h"

#pragma STDC FP_CONTRACT OFF

static inline uint8_t packed_scale(float value) {
  const uint8_t result = (uint8_t)nearest(value);
  return result > 63 ? 63 : result;
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

// A block's scales and minima, and what multiplies them, for groups that are 0 to 15 in 4 bits each.
static void quantize_q2_groups(const float *source, uint8_t *block, uint8_t *numbers) {
  float scales[16], minima[16], weights[16];
  for (int group = 0; group < 16; group++) {
    const float *x = source + 16 * group;
    for (int i = 0; i < 16; i++) weights[i] = fabsf(x[i]);
    const struct grid grid = {-0.5f, 0.1f, 15, true};
    scales[group] = fit_above_minimum(x, weights, 16, 3, grid, numbers + 16 * group, minima + group);
  }
  const float top_scale = largest_of(scales, 16), top_minimum = largest_of(minima, 16);
  for (int group = 0; group < 16; group++) {
    const int low = top_scale > 0 ? nearest(15 / top_scale * scales[group]) : 0;
    const int high = top_minimum > 0 ? nearest(15 / top_minimum * minima[group]) : 0;
    // A minimum may be below 0, which cannot be shifted.
    block[group] = (uint8_t)(low + 16 * high);
  }
  store_scale(block + 80, top_scale > 0 ? top_scale / 15 : 0);
  store_scale(block + 82, top_minimum > 0 ? top_minimum / 15 : 0);
}

static void quantize_q2_groups_weighted(const float *source, const float *importance, uint8_t *block,
                                        uint8_t *numbers) {
  float scales[16], minima[16], weights[16], sums[16];
  uint8_t group_scales[16], group_minima[16];
  const float mean_square = sum_of_squares(source, 256) / 256;
  for (int group = 0; group < 16; group++) {
    const float *x = source + 16 * group;
    weigh(x, importance + 16 * group, mean_square, 16, weights);
    sums[group] = sum_of(weights, 16);
    scales[group] = fit_above_minimum(x, weights, 16, 3, weighted_grid, numbers + 16 * group, minima + group);
  }
  store_scale(block + 80, fit_positive(scales, sums, 16, 15, group_scales));
  store_scale(block + 82, fit_positive(minima, sums, 16, 15, group_minima));
  for (int group = 0; group < 16; group++) block[group] = (uint8_t)(group_scales[group] | group_minima[group] << 4);
}

void laser_quantize_q2_k(const float *source, const float *importance, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  for (size_t done = 0; done < count; done += 256, block += 84, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 84, 80);
      continue;
    }
    if (importance) {
      quantize_q2_groups_weighted(source, importance + done, block, numbers);
    } else {
      quantize_q2_groups(source, block, numbers);
    }
    const float scale = stored_scale(block + 80), minimum = stored_scale(block + 82);
    for (int group = 0; group < 16; group++) {
      renumber(source + 16 * group, 16, scale * (float)(block[group] & 15), minimum * (float)(block[group] >> 4), 3,
               numbers + 16 * group);
    }
    pack_2_bits(numbers, block + 16);
  }
}

// The 6 bits of eight scales and eight minima.
static void pack_6_bits(const uint8_t *scales, const uint8_t *minima, uint8_t *packed) {
  for (int group = 0; group < 4; group++) {
    packed[group] = scales[group];
    packed[group + 4] = minima[group];
  }
  for (int group = 4; group < 8; group++) {
    packed[group + 4] = (uint8_t)((scales[group] & 15) | (minima[group] & 15) << 4);
    packed[group - 4] |= (uint8_t)(scales[group] >> 4 << 6);
    packed[group] |= (uint8_t)(minima[group] >> 4 << 6);
  }
}

// Scales, minima and numbers of eight groups of 32, as Q4_K and Q5_K share them; the block begins with scale, minimum
// scale and 12 packed bytes.
static void quantize_eight_groups(const float *source, const float *importance, int largest, struct grid grid,
                                  uint8_t *block, uint8_t *numbers) {
  float scales[8], minima[8], weights[32], sums[8];
  uint8_t group_scales[8], group_minima[8];
  const float mean_square = 2 * sum_of_squares(source, 256) / 256;
  for (int group = 0; group < 8; group++) {
    const float *x = source + 32 * group;
    if (importance) {
      weigh(x, importance + 32 * group, mean_square, 32, weights);
    } else {
      const float typical = sqrtf(sum_of_squares(x, 32) / 32);
      for (int i = 0; i < 32; i++) weights[i] = typical + fabsf(x[i]);
    }
    sums[group] = sum_of(weights, 32);
    scales[group] = fit_above_minimum(x, weights, 32, largest, importance ? weighted_grid : grid, numbers + 32 * group,
                                      minima + group);
  }
  float scale, minimum;
  if (importance) {
    scale = fit_positive(scales, sums, 8, 63, group_scales);
    minimum = fit_positive(minima, sums, 8, 63, group_minima);
  } else {
    const float top_scale = largest_of(scales, 8), top_minimum = largest_of(minima, 8);
    const float inverse_scale = top_scale > 0 ? 63 / top_scale : 0;
    const float inverse_minimum = top_minimum > 0 ? 63 / top_minimum : 0;
    for (int group = 0; group < 8; group++) {
      group_scales[group] = packed_scale(inverse_scale * scales[group]);
      group_minima[group] = packed_scale(inverse_minimum * minima[group]);
    }
    scale = top_scale / 63;
    minimum = top_minimum / 63;
  }
  uint8_t *packed = block + 4;
  pack_6_bits(group_scales, group_minima, packed);
  scale = store_scale(block, scale);
  minimum = store_scale(block + 2, minimum);
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

void laser_quantize_q4_k(const float *source, const float *importance, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  for (size_t done = 0; done < count; done += 256, block += 144, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 144, 0);
      continue;
    }
    const struct grid grid = {-1, 0.1f, 20, false};
    quantize_eight_groups(source, importance ? importance + done : NULL, 15, grid, block, numbers);
    pack_4_bits(numbers, block + 16);
  }
}

void laser_quantize_q5_k(const float *source, const float *importance, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  for (size_t done = 0; done < count; done += 256, block += 176, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 176, 0);
      continue;
    }
    const struct grid grid = {-0.5f, 0.1f, 15, false};
    quantize_eight_groups(source, importance ? importance + done : NULL, 31, grid, block, numbers);
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
  const float top = extreme(x, 16);
  if (fabsf(top) < smallest_magnitude) {
    memset(numbers, 0, 16);
    return 0;
  }
  const float inverse = (float)-bound / top;
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

// The scale of 16 groups, and their own as whole numbers from 0 to 63 for −32 to 31.
static float fit_q3_scales(const float *source, const float *importance, uint8_t *numbers, uint8_t *group_scales) {
  float scales[16], weights[16], sums[16];
  if (importance) {
    const float mean_square = 2 * sum_of_squares(source, 256) / 256;
    for (int group = 0; group < 16; group++) {
      weigh(source + 16 * group, importance + 16 * group, mean_square, 16, weights);
      sums[group] = sum_of(weights, 16);
      scales[group] = fit_around_zero(source + 16 * group, weights, 16, 4, numbers + 16 * group);
    }
    return fit_around_zero(scales, sums, 16, 32, group_scales);
  }
  for (int group = 0; group < 16; group++) scales[group] = fit_q3_group(source + 16 * group, numbers + 16 * group);
  const float top = extreme(scales, 16);
  memset(group_scales, 0, 16);
  if (top == 0) return 0;
  const float inverse = -32 / top;
  for (int group = 0; group < 16; group++) {
    group_scales[group] = (uint8_t)(clamp(nearest(inverse * scales[group]), -32, 31) + 32);
  }
  return 1 / inverse;
}

void laser_quantize_q3_k(const float *source, const float *importance, void *target, size_t count) {
  uint8_t *block = target, numbers[256], group_scales[16];
  for (size_t done = 0; done < count; done += 256, block += 110, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 110, 108);
      continue;
    }
    const float fitted = fit_q3_scales(source, importance ? importance + done : NULL, numbers, group_scales);
    memset(block, 0, 32);
    memset(block + 96, 0, 12);
    for (int group = 0; group < 16; group++) {
      block[96 + group % 8] |= (uint8_t)((group_scales[group] & 15) << (group < 8 ? 0 : 4));
      block[104 + group % 4] |= (uint8_t)(group_scales[group] >> 4 << (2 * (group / 4)));
    }
    const float scale = store_scale(block + 108, fitted);
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

void laser_quantize_q6_k(const float *source, const float *importance, void *target, size_t count) {
  uint8_t *block = target, numbers[256];
  float scales[16];
  for (size_t done = 0; done < count; done += 256, block += 210, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 210, 208);
      continue;
    }
    for (int group = 0; group < 16; group++) {
      const float *weights = importance ? importance + done + 16 * group : NULL;
      scales[group] = fit_around_zero(source + 16 * group, weights, 16, 32, numbers + 16 * group);
    }
    const float top = extreme(scales, 16);
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
