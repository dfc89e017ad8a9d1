// Numbers of few bits whose scales lie in a tensor of their own, as safetensors hold them, to bfloat16.
#include "CKernels.h"
#include "dispatch.h"
#include <math.h>
#include <string.h>

static inline uint16_t bf16_from(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  return (uint16_t)(value != value ? 0x7FC0u : rounded);
}

// A sign, four bits of exponent with bias 7, three of mantissa; no infinities, and NaN where all other bits are ones. Put in
// a float's place they are too small by 2^120, subnormal numbers too.
static inline float e4m3_value(uint8_t byte) {
  const uint32_t magnitude = (uint32_t)(byte & 0x7F) << 20;
  float value;
  memcpy(&value, &magnitude, 4);
  value *= 0x1p120f;
  uint32_t bits;
  memcpy(&bits, &value, 4);
  bits = magnitude == 0x7F00000u ? 0x7FC00000u : bits | (uint32_t)(byte & 0x80) << 24;
  memcpy(&value, &bits, 4);
  return value;
}

DISPATCHED void laser_decode_e4m3(const uint8_t *source, const float *scales, size_t block, uint16_t *target,
                                  size_t count) {
  for (size_t first = 0; first < count; first += block) {
    const size_t last = first + block < count ? first + block : count;
    const float scale = scales[first / block];
    for (size_t i = first; i < last; i++) target[i] = bf16_from(e4m3_value(source[i]) * scale);
  }
}

// The magnitudes of a sign, two bits of exponent and one of mantissa, e2m1.
static const float magnitudes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

void laser_decode_mxfp4(const uint8_t *blocks, const uint8_t *scales, uint16_t *target, size_t count) {
  for (size_t block = 0; block < count / 32; block++, target += 32) {
    // 255 stands for NaN.
    const float scale = scales[block] == 255 ? NAN : ldexpf(1, (int)scales[block] - 127);
    uint16_t values[16];
    for (int number = 0; number < 8; number++) {
      values[number] = bf16_from(magnitudes[number] * scale);
      values[number + 8] = values[number] | 0x8000u;
    }
    for (int i = 0; i < 16; i++) {
      const uint8_t pair = blocks[block * 16 + i];
      target[2 * i] = values[pair & 15];
      target[2 * i + 1] = values[pair >> 4];
    }
  }
}
