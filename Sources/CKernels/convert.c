#include "CKernels.h"
#include "dispatch.h"
#include "half.h"
#include <string.h>

// A float32 is not finite when its exponent bits are all ones.
#define EXPONENT_F32 0x7F800000u

DISPATCHED bool laser_expand_bf16(const void *source, float *target, size_t count) {
  const unsigned char *bytes = source;
  uint32_t bad = 0;
  for (size_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, 2);  // mapped tensors may start at an odd byte
    const uint32_t bits = (uint32_t)half << 16;
    bad |= (bits & EXPONENT_F32) == EXPONENT_F32;
    memcpy(target + i, &bits, 4);
  }
  return !bad;
}

DISPATCHED bool laser_expand_f16(const void *source, float *target, size_t count) {
  const unsigned char *bytes = source;
  uint32_t bad = 0;
  for (size_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, 2);
    const float value = half_to_float(half);
    bad |= (half & HALF_EXPONENT) == HALF_EXPONENT;
    target[i] = value;
  }
  return !bad;
}

DISPATCHED bool laser_expand_f32(const void *source, float *target, size_t count) {
  const unsigned char *bytes = source;
  uint32_t bad = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, bytes + 4 * i, 4);
    bad |= (bits & EXPONENT_F32) == EXPONENT_F32;
    memcpy(target + i, &bits, 4);
  }
  return !bad;
}

// Rounding goes through float32, as torch's double → bfloat16 does.
DISPATCHED void laser_round_bf16(const double *source, void *target, size_t count) {
  unsigned char *bytes = target;
  for (size_t i = 0; i < count; i++) {
    const float value = (float)source[i];
    uint32_t bits;
    memcpy(&bits, &value, 4);
    const uint16_t half = (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
    memcpy(bytes + 2 * i, &half, 2);
  }
}

DISPATCHED void laser_round_f16(const double *source, void *target, size_t count) {
  unsigned char *bytes = target;
  for (size_t i = 0; i < count; i++) {
    const uint16_t result = half_from_float((float)source[i]);
    memcpy(bytes + 2 * i, &result, 2);
  }
}

DISPATCHED void laser_round_f32(const double *source, void *target, size_t count) {
  unsigned char *bytes = target;
  for (size_t i = 0; i < count; i++) {
    const float value = (float)source[i];
    memcpy(bytes + 4 * i, &value, 4);
  }
}

DISPATCHED void laser_narrow_bf16(const float *source, uint16_t *target, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, source + i, 4);
    target[i] = (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
  }
}
