// What the loops over ggml's blocks share: scales as halves, groups' scales in 6 bits.
#pragma once
#include "half.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

// Reads the half at an address; remembers whether one was not finite.
static inline float scale_at(const uint8_t *bytes, uint32_t *bad) {
  const uint16_t half = (uint16_t)(bytes[0] | bytes[1] << 8);
  *bad |= (half & HALF_EXPONENT) == HALF_EXPONENT;
  return half_to_float(half);
}

// Stores a scale as a half; returns what the half holds.
static inline float store_scale(uint8_t *bytes, float scale) {
  const uint16_t half = half_from_float(scale);
  bytes[0] = (uint8_t)half;
  bytes[1] = (uint8_t)(half >> 8);
  return half_to_float(half);
}

// What a half holds that was stored.
static inline float stored_scale(const uint8_t *bytes) {
  uint32_t ignored = 0;
  return scale_at(bytes, &ignored);
}

static inline int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

static inline bool all_finite(const float *numbers, int count) {
  for (int i = 0; i < count; i++) {
    if (!isfinite(numbers[i])) return false;
  }
  return true;
}

// Numbers that are not finite cannot be quantised: their block gets an infinite scale, which every reader refuses.
static inline void spoil(uint8_t *block, size_t block_bytes, size_t scale_place) {
  memset(block, 0, block_bytes);
  store_scale(block + scale_place, INFINITY);
}

// The 6 bits of a group's scale: 4 in bytes 0 to 7, 2 in bytes 8 to 11.
static inline int q3_k_group_scale(const uint8_t *scales, int group) {
  const int low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
  return (low | (scales[8 + group % 4] >> (2 * (group / 4)) & 3) << 4) - 32;
}

// 12 bytes hold eight scales and eight minima of 6 bits: bytes 0 to 3 and 4 to 7 those of groups 0 to 3, and in their
// top bits the top bits of groups 4 to 7, whose low bits are in bytes 8 to 11.
static inline int k_group_scale(const uint8_t *packed, int group) {
  return group < 4 ? packed[group] & 63 : (packed[group + 4] & 15) | packed[group - 4] >> 6 << 4;
}
static inline int k_group_minimum(const uint8_t *packed, int group) {
  return group < 4 ? packed[group + 4] & 63 : packed[group + 4] >> 4 | packed[group] >> 6 << 4;
}
