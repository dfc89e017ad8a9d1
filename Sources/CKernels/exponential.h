// exp(x) in float32 to about 1 unit in the last place, in plain arithmetic so that loops around it vectorise.
//
// exp(x) = 2ⁿ exp(r), n = round(x / ln 2), |r| ≤ ln 2 / 2; exp(r) by its Taylor polynomial of degree 7 (remainder below
// 1e-8), ln 2 split in two so that n · ln 2 is exact (Cody & Waite). Below -87.3 the result is 0, above 88.7 it
// saturates.
#pragma once
#include <stdint.h>
#include <string.h>

static inline float exponential(float x) {
  const float clamped = x < -87.3f ? -87.3f : x > 88.7f ? 88.7f : x;
  const float shifter = 12582912.0f;  // 1.5 · 2²³: adding it rounds to a whole number held in the low bits
  const float shifted = clamped * 1.44269504088896341f + shifter;
  const float n = shifted - shifter;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // n goes into the exponent. It stands in the lowest bits of the shifted number, which no conversion is needed for: a
  // NaN has no whole number.
  uint32_t bits, whole;
  memcpy(&bits, &p, sizeof bits);
  memcpy(&whole, &shifted, sizeof whole);
  bits += whole << 23;
  float result;
  memcpy(&result, &bits, sizeof result);
  return x < -87.3f ? 0.0f : result;
}
