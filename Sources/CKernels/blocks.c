// Formats in which a block of numbers shares its scale, as ggml stores them. Blocks lie one after another; a row is a
// whole number of them. Bits are ggml's: its reference quantisation and de-quantisation (ggml-quants.c), evaluated in
// plain float32 without fused multiplications, so that the result does not depend on the processor.
//
// Where ggml leaves the result undefined (a scale so small that its reciprocal is infinite), the block becomes zeros.
#include "CKernels.h"
#include "block_fits.h"
#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

// MARK: Blocks of 32: one scale, for *_1 a minimum too

// scale (half), 32 signed bytes
DISPATCHED bool laser_expand_q8_0(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 32, block += 34, target += 32) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 32; i++) target[i] = (float)(int8_t)block[2 + i] * scale;
  }
  return !bad;
}

// scale, 16 bytes: low halves are the numbers 0 to 15, high halves 16 to 31
DISPATCHED bool laser_expand_q4_0(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 32, block += 18, target += 32) {
    const float scale = scale_at(block, &bad);
    for (int i = 0; i < 16; i++) {
      target[i] = (float)((block[2 + i] & 15) - 8) * scale;
      target[i + 16] = (float)((block[2 + i] >> 4) - 8) * scale;
    }
  }
  return !bad;
}

// scale, minimum, 16 bytes
DISPATCHED bool laser_expand_q4_1(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 32, block += 20, target += 32) {
    const float scale = scale_at(block, &bad), minimum = scale_at(block + 2, &bad);
    for (int i = 0; i < 16; i++) {
      target[i] = (float)(block[4 + i] & 15) * scale + minimum;
      target[i + 16] = (float)(block[4 + i] >> 4) * scale + minimum;
    }
  }
  return !bad;
}

static inline uint32_t fifth_bits_at(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

// scale, 32 fifth bits, 16 bytes
DISPATCHED bool laser_expand_q5_0(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 32, block += 22, target += 32) {
    const float scale = scale_at(block, &bad);
    const uint32_t fifth = fifth_bits_at(block + 2);
    for (int i = 0; i < 16; i++) {
      const int low = (block[6 + i] & 15) | (int)(fifth >> i & 1) << 4;
      const int high = block[6 + i] >> 4 | (int)(fifth >> (i + 16) & 1) << 4;
      target[i] = (float)(low - 16) * scale;
      target[i + 16] = (float)(high - 16) * scale;
    }
  }
  return !bad;
}

// scale, minimum, 32 fifth bits, 16 bytes
DISPATCHED bool laser_expand_q5_1(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 32, block += 24, target += 32) {
    const float scale = scale_at(block, &bad), minimum = scale_at(block + 2, &bad);
    const uint32_t fifth = fifth_bits_at(block + 4);
    for (int i = 0; i < 16; i++) {
      const int low = (block[8 + i] & 15) | (int)(fifth >> i & 1) << 4;
      const int high = block[8 + i] >> 4 | (int)(fifth >> (i + 16) & 1) << 4;
      target[i] = (float)low * scale + minimum;
      target[i + 16] = (float)high * scale + minimum;
    }
  }
  return !bad;
}

// MARK: Blocks of 256: groups of 16 or 32 whose scales are small integers times the block's

// 16 bytes of scale and minimum (4 bits each) for groups of 16, 64 bytes of 2 bits, scale, minimum scale
DISPATCHED bool laser_expand_q2_k(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 84, target += 256) {
    const float scale = scale_at(block + 80, &bad), minimum = scale_at(block + 82, &bad);
    for (int group = 0; group < 16; group++) {
      const uint8_t *bits = block + 16 + 32 * (group / 8) + 16 * (group % 2);
      const int shift = group % 8 / 2 * 2;
      const float group_scale = scale * (float)(block[group] & 15), offset = minimum * (float)(block[group] >> 4);
      for (int i = 0; i < 16; i++) target[16 * group + i] = group_scale * (float)(bits[i] >> shift & 3) - offset;
    }
  }
  return !bad;
}

// 32 bytes of third bits, 64 bytes of 2 bits, 12 bytes of scales for groups of 16, scale
DISPATCHED bool laser_expand_q3_k(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 110, target += 256) {
    const float scale = scale_at(block + 108, &bad);
    for (int group = 0; group < 16; group++) {
      const uint8_t *bits = block + 32 + 32 * (group / 8) + 16 * (group % 2);
      const uint8_t *third = block + 16 * (group % 2);
      const int shift = group % 8 / 2 * 2, place = group / 2;
      const float group_scale = scale * (float)q3_k_group_scale(block + 96, group);
      for (int i = 0; i < 16; i++) {
        const int number = (bits[i] >> shift & 3) + (third[i] >> place & 1) * 4 - 4;
        target[16 * group + i] = group_scale * (float)number;
      }
    }
  }
  return !bad;
}

// scale, minimum scale, 12 bytes for groups of 32, 128 bytes of 4 bits
DISPATCHED bool laser_expand_q4_k(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 144, target += 256) {
    const float scale = scale_at(block, &bad), minimum = scale_at(block + 2, &bad);
    for (int group = 0; group < 8; group++) {
      const uint8_t *bits = block + 16 + 32 * (group / 2);
      const int shift = group % 2 * 4;
      const float group_scale = scale * (float)k_group_scale(block + 4, group);
      const float offset = minimum * (float)k_group_minimum(block + 4, group);
      for (int i = 0; i < 32; i++) target[32 * group + i] = group_scale * (float)(bits[i] >> shift & 15) - offset;
    }
  }
  return !bad;
}

// scale, minimum scale, 12 bytes for groups of 32, 32 bytes of fifth bits, 128 bytes of 4 bits
DISPATCHED bool laser_expand_q5_k(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 176, target += 256) {
    const float scale = scale_at(block, &bad), minimum = scale_at(block + 2, &bad);
    for (int group = 0; group < 8; group++) {
      const uint8_t *fifth = block + 16, *bits = block + 48 + 32 * (group / 2);
      const int shift = group % 2 * 4;
      const float group_scale = scale * (float)k_group_scale(block + 4, group);
      const float offset = minimum * (float)k_group_minimum(block + 4, group);
      for (int i = 0; i < 32; i++) {
        const int number = (bits[i] >> shift & 15) + (fifth[i] >> group & 1) * 16;
        target[32 * group + i] = group_scale * (float)number - offset;
      }
    }
  }
  return !bad;
}

// 128 bytes of 4 bits, 64 bytes of the 2 bits above, 16 signed scales for groups of 16, scale. Of each 128 numbers,
// those whose places differ by 64 share a byte of the first kind, those by a multiple of 32 one of the second.
DISPATCHED bool laser_expand_q6_k(const void *source, float *target, size_t count) {
  uint32_t bad = 0;
  const uint8_t *block = source;
  for (size_t done = 0; done < count; done += 256, block += 210, target += 256) {
    const float scale = scale_at(block + 208, &bad);
    for (int group = 0; group < 16; group++) {
      const int within = group % 8;
      const uint8_t *low = block + 64 * (group / 8) + 16 * (within % 4);
      const uint8_t *high = block + 128 + 32 * (group / 8) + 16 * (within % 2);
      const int low_shift = within / 4 * 4, high_shift = within / 2 * 2;
      const float group_scale = scale * (float)(int8_t)block[192 + group];
      for (int i = 0; i < 16; i++) {
        const int number = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
        target[16 * group + i] = group_scale * (float)(number - 32);
      }
    }
  }
  return !bad;
}

// MARK: Quantisation of blocks of 32

// 1 / scale, or 0 where the block is to become zeros.
static inline float reciprocal(float scale) {
  const float result = 1.0f / scale;
  return scale != 0 && isfinite(result) ? result : 0;
}

// Q8_0 has no use for importance.
void laser_quantize_q8_0(const float *source, const float *importance, void *target, size_t count) {
  (void)importance;
  uint8_t *block = target;
  for (size_t done = 0; done < count; done += 32, block += 34, source += 32) {
    if (!all_finite(source, 32)) {
      spoil(block, 34, 0);
      continue;
    }
    const float scale = fabsf(extreme(source, 32)) / 127;
    const float inverse = reciprocal(scale);
    store_scale(block, scale);
    for (int i = 0; i < 32; i++) block[2 + i] = (uint8_t)(int8_t)clamp((int)roundf(source[i] * inverse), -128, 127);
  }
}

// A row's numbers, and their importance where it is known.
struct row {
  const float *numbers, *importance;
  float mean_square;
};

static inline struct row row_of(const float *source, const float *importance, size_t count) {
  return (struct row){source, importance, importance ? sum_of_squares(source, (int)count) / (float)count : 0};
}

// Scale and whole numbers 0 to 2^bits − 1 for 2^(bits−1) + number / scale, of the 32 numbers from a place on.
static inline float quantize_symmetric(const struct row *row, size_t place, int bits, uint8_t *numbers) {
  const float *source = row->numbers + place;
  const int half = 1 << (bits - 1);
  if (row->importance) {
    float weights[32];
    weigh(source, row->importance + place, row->mean_square, 32, weights);
    return fit_around_zero(source, weights, 32, half, numbers);
  }
  const float scale = extreme(source, 32) / (float)-half;
  const float inverse = reciprocal(scale);
  for (int i = 0; i < 32; i++) {
    numbers[i] = (uint8_t)clamp((int)(source[i] * inverse + ((float)half + 0.5f)), 0, 2 * half - 1);
  }
  return scale;
}

// Scale and whole numbers 0 to 2^bits − 1 for (number − minimum) / scale.
static inline float quantize_above_minimum(const struct row *row, size_t place, int bits, uint8_t *numbers,
                                           float *minimum) {
  const float *source = row->numbers + place;
  const int largest = (1 << bits) - 1;
  if (row->importance) {
    float weights[32];
    weigh(source, row->importance + place, row->mean_square, 32, weights);
    const float scale = fit_above_minimum(source, weights, 32, largest, weighted_grid, numbers, minimum);
    *minimum = -*minimum;
    return scale;
  }
  float low = source[0], high = source[0];
  for (int i = 1; i < 32; i++) {
    low = source[i] < low ? source[i] : low;
    high = source[i] > high ? source[i] : high;
  }
  const float scale = (high - low) / (float)largest;
  const float inverse = reciprocal(scale);
  for (int i = 0; i < 32; i++) numbers[i] = (uint8_t)clamp((int)((source[i] - low) * inverse + 0.5f), 0, largest);
  *minimum = low;
  return scale;
}

static inline void pack_low_bits(const uint8_t *numbers, uint8_t *target) {
  for (int i = 0; i < 16; i++) target[i] = (uint8_t)((numbers[i] & 15) | (numbers[i + 16] & 15) << 4);
}

static inline void pack_fifth_bits(const uint8_t *numbers, uint8_t *target) {
  for (int byte = 0; byte < 4; byte++) {
    uint8_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= (uint8_t)((numbers[8 * byte + i] >> 4 & 1) << i);
    target[byte] = bits;
  }
}

void laser_quantize_q4_0(const float *source, const float *importance, void *target, size_t count) {
  uint8_t numbers[32], *block = target;
  const struct row row = row_of(source, importance, count);
  for (size_t done = 0; done < count; done += 32, block += 18) {
    if (!all_finite(source + done, 32)) {
      spoil(block, 18, 0);
      continue;
    }
    store_scale(block, quantize_symmetric(&row, done, 4, numbers));
    pack_low_bits(numbers, block + 2);
  }
}

void laser_quantize_q4_1(const float *source, const float *importance, void *target, size_t count) {
  uint8_t numbers[32], *block = target;
  const struct row row = row_of(source, importance, count);
  float minimum;
  for (size_t done = 0; done < count; done += 32, block += 20) {
    if (!all_finite(source + done, 32)) {
      spoil(block, 20, 0);
      continue;
    }
    store_scale(block, quantize_above_minimum(&row, done, 4, numbers, &minimum));
    store_scale(block + 2, minimum);
    pack_low_bits(numbers, block + 4);
  }
}

void laser_quantize_q5_0(const float *source, const float *importance, void *target, size_t count) {
  uint8_t numbers[32], *block = target;
  const struct row row = row_of(source, importance, count);
  for (size_t done = 0; done < count; done += 32, block += 22) {
    if (!all_finite(source + done, 32)) {
      spoil(block, 22, 0);
      continue;
    }
    store_scale(block, quantize_symmetric(&row, done, 5, numbers));
    pack_fifth_bits(numbers, block + 2);
    pack_low_bits(numbers, block + 6);
  }
}

void laser_quantize_q5_1(const float *source, const float *importance, void *target, size_t count) {
  uint8_t numbers[32], *block = target;
  const struct row row = row_of(source, importance, count);
  float minimum;
  for (size_t done = 0; done < count; done += 32, block += 24) {
    if (!all_finite(source + done, 32)) {
      spoil(block, 24, 0);
      continue;
    }
    store_scale(block, quantize_above_minimum(&row, done, 5, numbers, &minimum));
    store_scale(block + 2, minimum);
    pack_fifth_bits(numbers, block + 4);
    pack_low_bits(numbers, block + 8);
  }
}
