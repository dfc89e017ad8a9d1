// Formats of floating-point numbers of 4 bits: a sign, two bits of exponent and one of mantissa (E2M1). What is stored
// is twice their value, so that all are whole.
#include "CKernels.h"
#include "blocks.h"
#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

static const float doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// The nearest of them times a scale, the first of several.
static inline uint8_t nearest_number(float x, float scale) {
  int best = 0;
  float smallest = fabsf(doubled[0] * scale - x);
  for (int i = 1; i < 16; i++) {
    const float distance = fabsf(doubled[i] * scale - x);
    if (distance < smallest) {
      best = i;
      smallest = distance;
    }
  }
  return (uint8_t)best;
}

// MARK: MXFP4: blocks of 32 with a power of two as scale

enum { exponent_of_nan = 255 };

// Half of 2^(exponent − 127), since the numbers are doubled.
static inline float half_power(uint8_t exponent) { return ldexpf(1, (int)exponent - 128); }

// scale (an exponent), 16 bytes: low halves are the numbers 0 to 15, high halves 16 to 31
DISPATCHED bool laser_expand_mxfp4(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 32, block += 17, target += 32) {
    const float scale = half_power(block[0]);
    bad |= block[0] == exponent_of_nan;
    for (int i = 0; i < 16; i++) {
      target[i] = doubled[block[1 + i] & 15] * scale;
      target[i + 16] = doubled[block[1 + i] >> 4] * scale;
    }
    // The largest scales times the largest numbers are infinite.
    if (block[0] > 252) bad |= !all_finite(target, 32);
  }
  return !bad;
}

// MXFP4 has no use for importance.
void laser_quantize_mxfp4(const float *source, const float *importance, void *target, size_t count) {
  (void)importance;
  uint8_t *block = target;
  for (size_t done = 0; done < count; done += 32, block += 17, source += 32) {
    memset(block, 0, 17);
    if (!all_finite(source, 32)) {
      block[0] = exponent_of_nan;
      continue;
    }
    float largest = 0;
    for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(source[i]));
    // The logarithm is rounded before it is cut, as ggml's is; 2 is that of the largest number, 6, cut likewise.
    if (largest > 0) block[0] = (uint8_t)clamp((int)floorf(log2f(largest)) + 127 - 2, 0, 254);
    const float scale = half_power(block[0]);
    for (int i = 0; i < 16; i++) {
      block[1 + i] = (uint8_t)(nearest_number(source[i], scale) | nearest_number(source[i + 16], scale) << 4);
    }
  }
}

// MARK: NVFP4: blocks of 64, four groups of 16 with a scale each

// Half of a scale: no sign, 4 bits of exponent, 3 of mantissa; the pattern for what is no number counts as 0, as 0 does.
static inline float half_scale(uint8_t bits) {
  if (bits == 0x7F) return 0;
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  return exponent == 0 ? ldexpf((float)mantissa, -10) : ldexpf((float)(8 + mantissa), exponent - 11);
}

// 4 scales, 4 times 8 bytes: low halves are a group's numbers 0 to 7, high halves 8 to 15
DISPATCHED bool laser_expand_nvfp4(const void *source, float *target, size_t count) {
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 64, block += 36, target += 64) {
    for (int group = 0; group < 4; group++) {
      const float scale = half_scale(block[group]);
      const uint8_t *bits = block + 4 + 8 * group;
      for (int i = 0; i < 8; i++) {
        target[16 * group + i] = doubled[bits[i] & 15] * scale;
        target[16 * group + 8 + i] = doubled[bits[i] >> 4] * scale;
      }
    }
  }
  return true;
}
