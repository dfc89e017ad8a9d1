// IQ4_NL and IQ4_XS: 4 bits that number sixteen values, closer together near zero. Bits are ggml's (ggml-quants.c,
// quantize_iq4_nl, quantize_iq4_xs), with or without the importance of the numbers.
#include "CKernels.h"
#include "block_fits.h"
#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

static const float levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// scale, 16 bytes: low halves are the numbers 0 to 15, high halves 16 to 31
DISPATCHED bool laser_expand_iq4_nl(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 32, block += 18, target += 32) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 16; i++) {
      target[i] = scale * levels[block[2 + i] & 15];
      target[i + 16] = scale * levels[block[2 + i] >> 4];
    }
  }
  return !bad;
}

// The 6 bits of a group's scale: 4 in bytes 2 to 5, 2 in bytes 0 and 1.
static inline int group_scale(const uint8_t *scales, int group) {
  const int low = scales[2 + group / 2] >> (4 * (group % 2)) & 15, high = scales[group / 4] >> (2 * (group % 4)) & 3;
  return (low | high << 4) - 32;
}

// scale, 6 bytes of scales for groups of 32, 128 bytes of 4 bits
DISPATCHED bool laser_expand_iq4_xs(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 136, target += 256) {
    const float scale = scale_at(block, &bad);
    for (int group = 0; group < 8; group++) {
      const float product = scale * (float)group_scale(block + 2, group);
      const uint8_t *bits = block + 8 + 16 * group;
      for (int i = 0; i < 16; i++) {
        target[32 * group + i] = product * levels[bits[i] & 15];
        target[32 * group + 16 + i] = product * levels[bits[i] >> 4];
      }
    }
  }
  return !bad;
}

// MARK: Quantisation

static inline int nearest_level(float x) {
  if (x <= levels[0]) return 0;
  if (x >= levels[15]) return 15;
  int low = 0, high = 15;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (x < levels[middle]) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return x - levels[low] < levels[high] - x ? low : high;
}

// The best of sixteen scales of 32 numbers.
static float fit_levels(const float *x, const float *weights) {
  const float top = extreme(x, 32);
  if (fabsf(top) < smallest_magnitude) return 0;
  float scale = 0, best = 0;
  for (int attempt = 0; attempt < 16; attempt++) {
    const float inverse = attempt == 0 ? 1 / (-top / levels[0]) : ((float)(attempt - 8) + levels[0]) / top;
    float xl_sum = 0, l2_sum = 0;
    for (int i = 0; i < 32; i++) {
      const float level = levels[nearest_level(inverse * x[i])];
      xl_sum += weights[i] * level * x[i];
      l2_sum += weights[i] * level * level;
    }
    if (attempt == 0 || (l2_sum > 0 && xl_sum * xl_sum > best * l2_sum)) {
      scale = l2_sum > 0 ? xl_sum / l2_sum : 0;
      best = scale * xl_sum;
    }
  }
  return scale;
}

static void weigh_levels(const float *x, const float *importance, float mean_square, float *weights) {
  if (importance) {
    weigh(x, importance, mean_square, 32, weights);
  } else {
    for (int i = 0; i < 32; i++) weights[i] = x[i] * x[i];
  }
}

static void store_levels(const float *x, float scale, uint8_t *target) {
  const float inverse = scale != 0 ? 1 / scale : 0;
  for (int i = 0; i < 16; i++) {
    target[i] = (uint8_t)(nearest_level(inverse * x[i]) | nearest_level(inverse * x[i + 16]) << 4);
  }
}

void laser_quantize_iq4_nl(const float *source, const float *importance, void *target, size_t count) {
  uint8_t *block = target;
  float weights[32];
  for (size_t done = 0; done < count; done += 32, block += 18, source += 32) {
    if (!all_finite(source, 32)) {
      spoil(block, 18, 0);
      continue;
    }
    weigh_levels(source, importance ? importance + done : NULL, sum_of_squares(source, 32) * (2.0f / 32), weights);
    const float scale = fit_levels(source, weights);
    store_scale(block, scale);
    store_levels(source, scale, block + 2);
  }
}

void laser_quantize_iq4_xs(const float *source, const float *importance, void *target, size_t count) {
  uint8_t *block = target;
  float weights[32], scales[8];
  for (size_t done = 0; done < count; done += 256, block += 136, source += 256) {
    if (!all_finite(source, 256)) {
      spoil(block, 136, 0);
      continue;
    }
    const float mean_square = sum_of_squares(source, 256) * (2.0f / 256);
    for (int group = 0; group < 8; group++) {
      const float *x = source + 32 * group;
      weigh_levels(x, importance ? importance + done + 32 * group : NULL, mean_square, weights);
      scales[group] = fit_levels(x, weights);
    }
    const float scale = -extreme(scales, 8) / 32, inverse = scale != 0 ? 1 / scale : 0;
    memset(block, 0, 8);
    store_scale(block, scale);
    for (int group = 0; group < 8; group++) {
      const int n = clamp(nearest(inverse * scales[group]), -32, 31);
      block[2 + group / 4] |= (uint8_t)((n + 32) >> 4 << (2 * (group % 4)));
      block[4 + group / 2] |= (uint8_t)(((n + 32) & 15) << (4 * (group % 2)));
      // By the scale itself, not by what its half holds, as ggml does.
      store_levels(source + 32 * group, scale * (float)n, block + 8 + 16 * group);
    }
  }
}
