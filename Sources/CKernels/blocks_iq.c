// ggml's types of 1 to 3 bits, whose blocks name rows of a grid. They are read only: choosing rows takes a search of the
// grid that is written for these types alone.
#include "CKernels.h"
#include "blocks.h"
#include "dispatch.h"
#include "grids.h"

#pragma STDC FP_CONTRACT OFF

static inline uint32_t word_at(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}
static inline unsigned half_word_at(const uint8_t *bytes) { return bytes[0] | (unsigned)bytes[1] << 8; }

// What the numbers of a grid of 2 bits, and of those of 3, stand for.
static const float of_iq2[4] = {8, 25, 43, 0};
static const float of_iq3_xxs[8] = {4, 12, 20, 28, 36, 44, 52, 62};
static const float of_iq3_s[8] = {1, 3, 5, 7, 9, 11, 13, 15};

static inline void expand_2_bits(unsigned row, unsigned signs, float scale, float *target) {
  for (int i = 0; i < 8; i++) {
    const float number = scale * of_iq2[row >> (2 * i) & 3];
    target[i] = signs >> i & 1 ? -number : number;
  }
}

static inline void expand_3_bits(unsigned row, unsigned signs, const float *values, float scale, float *target) {
  for (int i = 0; i < 4; i++) {
    const float number = scale * values[row >> (3 * i) & 7];
    target[i] = signs >> i & 1 ? -number : number;
  }
}

// Eight signs of which seven are stored: the number of negative ones is even.
static inline unsigned even_signs(unsigned bits) {
  bits &= 127;
  unsigned parity = bits ^ bits >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return bits | (parity & 1) << 7;
}

// scale; for each 32 numbers 4 bytes of rows and 4 of signs, 7 bits for 8, with a scale of 4 bits above them
DISPATCHED bool laser_expand_iq2_xxs(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 66, target += 256) {
    const float scale = scale_at(block, &bad);
    for (int group = 0; group < 8; group++) {
      const uint8_t *rows = block + 2 + 8 * group;
      const uint32_t signs = word_at(rows + 4);
      const float group_scale = scale * (0.5f + (float)(signs >> 28)) * 0.25f;
      for (int i = 0; i < 4; i++) {
        expand_2_bits(laser_grid_iq2_xxs[rows[i]], even_signs(signs >> (7 * i)), group_scale,
                      target + 32 * group + 8 * i);
      }
    }
  }
  return !bad;
}

// scale, 32 times a row in 9 bits and signs in 7, 8 bytes of scales (4 bits each) for groups of 16
DISPATCHED bool laser_expand_iq2_xs(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 74, target += 256) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 32; i++) {
      const unsigned word = half_word_at(block + 2 + 2 * i);
      const int group_bits = block[66 + i / 4] >> (i / 2 % 2 * 4) & 15;
      const float group_scale = scale * (0.5f + (float)group_bits) * 0.25f;
      expand_2_bits(laser_grid_iq2_xs[word & 511], even_signs(word >> 9), group_scale, target + 8 * i);
    }
  }
  return !bad;
}

// scale, 32 bytes of rows, 32 of signs, 8 of the rows' 2 bits above, 8 of scales (4 bits each) for groups of 16
DISPATCHED bool laser_expand_iq2_s(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 82, target += 256) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 32; i++) {
      const unsigned row = block[2 + i] | (unsigned)(block[66 + i / 4] >> (2 * (i % 4)) & 3) << 8;
      const int group_bits = block[74 + i / 4] >> (i / 2 % 2 * 4) & 15;
      const float group_scale = scale * (0.5f + (float)group_bits) * 0.25f;
      expand_2_bits(laser_grid_iq2_s[row], block[34 + i], group_scale, target + 8 * i);
    }
  }
  return !bad;
}

// scale, 64 bytes of rows; for each 32 numbers 4 bytes of signs and scale as IQ2_XXS has them
DISPATCHED bool laser_expand_iq3_xxs(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 98, target += 256) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 64; i++) {
      const uint32_t word = word_at(block + 66 + 4 * (i / 8));
      const unsigned signs = even_signs(word >> (7 * (i / 2 % 4))) >> (4 * (i % 2));
      const float group_scale = scale * (0.5f + (float)(word >> 28)) * 0.5f;
      expand_3_bits(laser_grid_iq3_xxs[block[2 + i]], signs, of_iq3_xxs, group_scale, target + 4 * i);
    }
  }
  return !bad;
}

// scale, 64 bytes of rows, 8 of the rows' ninth bits, 32 of signs, 4 of scales (4 bits each) for groups of 32
DISPATCHED bool laser_expand_iq3_s(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 110, target += 256) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 64; i++) {
      const unsigned row = block[2 + i] | (unsigned)(block[66 + i / 8] >> (i % 8) & 1) << 8;
      const unsigned signs = (unsigned)block[74 + i / 2] >> (4 * (i % 2));
      const int group_bits = block[106 + i / 16] >> (i / 8 % 2 * 4) & 15;
      expand_3_bits(laser_grid_iq3_s[row], signs, of_iq3_s, scale * (float)(1 + 2 * group_bits), target + 4 * i);
    }
  }
  return !bad;
}

// MARK: −1, 0 and 1, all of them an eighth more or less

static inline void expand_shifted(unsigned row, bool is_less, float scale, float *target) {
  const float shift = is_less ? -0.125f : 0.125f;
  for (int i = 0; i < 8; i++) target[i] = scale * ((float)(int)(row >> (2 * i) & 3) - 1 + shift);
}

// scale, 32 bytes of rows; for each 32 numbers 2 bytes: 3 bits above of each row, a scale of 3 bits, whether it is less
DISPATCHED bool laser_expand_iq1_s(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 50, target += 256) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 32; i++) {
      const unsigned word = half_word_at(block + 34 + 2 * (i / 4));
      const unsigned row = block[2 + i] | (word >> (3 * (i % 4)) & 7) << 8;
      const float group_scale = scale * (float)(2 * (word >> 12 & 7) + 1);
      expand_shifted(laser_grid_iq1[row], word >> 15, group_scale, target + 8 * i);
    }
  }
  return !bad;
}

// 32 bytes of rows; for each two of them a byte: 3 bits above of each and whether it is less; 8 bytes, each two of which
// have four scales of 3 bits for groups of 16 and above them a quarter of the block's scale
DISPATCHED bool laser_expand_iq1_m(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 56, target += 256) {
    const uint8_t *scales = block + 48;
    const uint8_t half[2] = {(uint8_t)(scales[1] >> 4 | (scales[3] & 0xF0)),
                             (uint8_t)(scales[5] >> 4 | (scales[7] & 0xF0))};
    const float scale = scale_at(half, &bad);
    for (int i = 0; i < 32; i++) {
      const int above = block[32 + i / 2] >> (4 * (i % 2));
      const unsigned row = block[i] | (unsigned)(above & 7) << 8;
      const unsigned group_bits = half_word_at(scales + 2 * (i / 8)) >> (3 * (i / 2 % 4)) & 7;
      expand_shifted(laser_grid_iq1[row], above & 8, scale * (float)(2 * group_bits + 1), target + 8 * i);
    }
  }
  return !bad;
}
