// Formats of one or two bits a number: signs, and small whole numbers about zero, with one scale to a block. They are
// read only: a matrix that was trained to have such numbers cannot be anything else in them.
#include "CKernels.h"
#include "blocks.h"
#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

// scale, 16 bytes: a bit says whether the number is the scale or its negative
DISPATCHED bool laser_expand_q1_0(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 128, block += 18, target += 128) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 128; i++) target[i] = block[2 + i / 8] >> (i % 8) & 1 ? scale : -scale;
  }
  return !bad;
}

// scale, 16 bytes of 2 bits: −1 to 2
DISPATCHED bool laser_expand_q2_0(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 64, block += 18, target += 64) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 64; i++) target[i] = (float)((block[2 + i / 4] >> (2 * (i % 4)) & 3) - 1) * scale;
  }
  return !bad;
}

// A digit to base 3, of the five (or four) of a byte that stands for a fraction of 256: −1, 0 or 1.
static inline float ternary_digit(uint8_t byte, int place) {
  static const uint8_t powers[5] = {1, 3, 9, 27, 81};
  return (float)(((unsigned)(uint8_t)(byte * powers[place]) * 3 >> 8)) - 1;
}

// 32 bytes of five numbers each, whose places differ by 32; 16 of five by 16; 4 of four by 4; scale
DISPATCHED bool laser_expand_tq1_0(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 54, target += 256) {
    const float scale = scale_at(block + 52, &bad);
    for (int i = 0; i < 160; i++) target[i] = scale * ternary_digit(block[i % 32], i / 32);
    for (int i = 0; i < 80; i++) target[160 + i] = scale * ternary_digit(block[32 + i % 16], i / 16);
    for (int i = 0; i < 16; i++) target[240 + i] = scale * ternary_digit(block[48 + i % 4], i / 4);
  }
  return !bad;
}

// 64 bytes of 2 bits: of each 128 numbers, those whose places differ by a multiple of 32 share a byte; scale
DISPATCHED bool laser_expand_tq2_0(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 66, target += 256) {
    const float scale = scale_at(block + 64, &bad);
    for (int i = 0; i < 256; i++) {
      const int number = block[32 * (i / 128) + i % 32] >> (i % 128 / 32 * 2) & 3;
      target[i] = scale * (float)(number - 1);
    }
  }
  return !bad;
}
