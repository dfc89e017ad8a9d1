// One IEEE half-precision number, exactly to float32 and back.
#pragma once
#include <stdint.h>
#include <string.h>

#define HALF_EXPONENT 0x7C00u

static inline float half_to_float(uint16_t half) {
  // Move exponent and mantissa into place and let a multiplication by 2^112 rebias the exponent; it also
  // normalises subnormal numbers, exactly. Infinities and NaNs do not survive: check the exponent first.
  const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
  const uint32_t magnitude = (uint32_t)(half & 0x7FFFu) << 13;
  float value;
  memcpy(&value, &magnitude, 4);
  value *= 0x1p112f;
  uint32_t bits;
  memcpy(&bits, &value, 4);
  bits |= sign;
  memcpy(&value, &bits, 4);
  return value;
}

// To the nearest, ties to even; too large becomes infinity.
static inline uint16_t half_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
  bits &= 0x7FFFFFFFu;
  // Normal halves: rebias and round in integers. Subnormal halves: adding 0.5 lets the adder round at 2^-24.
  const uint32_t normal = (bits - 0x38000000u + 0xFFFu + ((bits >> 13) & 1u)) >> 13;
  float magnitude;
  memcpy(&magnitude, &bits, 4);
  const float shifted = magnitude + 0.5f;
  uint32_t small;
  memcpy(&small, &shifted, 4);
  small -= 0x3F000000u;
  uint32_t half = bits < 0x38800000u ? small : normal;
  half = half > HALF_EXPONENT ? HALF_EXPONENT : half;
  return (uint16_t)(sign | half);
}
