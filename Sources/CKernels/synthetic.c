#include "CKernels.h"
#include "dispatch.h"
#include <string.h>

// SplitMix64's output function (Steele, Lea & Flood 2014).
static inline uint64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// The sum of four uniform numbers of 16 bits is close to normal; its variance is (2^32 - 1) / 3.
DISPATCHED void laser_synthetic_row(uint64_t position, float deviation, const float *left, const float *right, size_t rank,
                                    size_t columns, uint16_t *target) {
  _Pragma("clang fp contract(off)")
  enum { BLOCK = 256 };
  const float scale = deviation / 37837.227f;
  for (size_t first = 0; first < columns; first += BLOCK) {
    const size_t count = columns - first < BLOCK ? columns - first : BLOCK;
    float numbers[BLOCK];
    for (size_t c = 0; c < count; c++) {
      const uint64_t bits = mixed((position + first + c) * 0x9E3779B97F4A7C15u);
      const int32_t sum = (int32_t)(bits & 0xFFFF) + (int32_t)(bits >> 16 & 0xFFFF) + (int32_t)(bits >> 32 & 0xFFFF) +
                          (int32_t)(bits >> 48) - 131070;
      numbers[c] = scale * (float)sum;
    }
    for (size_t k = 0; k < rank; k++) {
      const float *row = right + k * columns + first;
      for (size_t c = 0; c < count; c++) numbers[c] += left[k] * row[c];
    }
    for (size_t c = 0; c < count; c++) {
      uint32_t bits;
      memcpy(&bits, numbers + c, sizeof bits);
      target[first + c] = (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
  }
}
