#include "CKernels.h"
#include <string.h>

// c = a · bᵀ by register tiles, after Goto & van de Geijn (2008): a block of a's rows is copied to scratch, of which a
// part of the inner dimension stays in the second cache at a time; each of b's panels stays in the first cache while
// that part passes.
//
// Every element of c is the sum, over blocks of the inner dimension, of sums in order of k. Neither a row's place
// nor the number of rows changes a bit of it.

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

// Rows of a block; a multiple of every tile's rows.
#define BLOCK_ROWS 240
// Columns of c that are finished before the next: with a block of a, they fit the second cache.
#define BLOCK_COLUMNS 512
// The block of the inner dimension: so many float32, twice as many bfloat16.
#define FLOAT_DEPTH 256
#define MOST_TILE_ROWS LASER_TILE_ROWS
// A row of scratch in bytes: the same for 256 float32 and 512 bfloat16, and no power of two, which the caches dislike.
#define SCRATCH_ROW (256 * sizeof(float) + 64)

typedef void (*Tile)(const void *a, size_t stride, const void *panel, size_t depth, float *c, size_t c_stride,
                     bool adding);

// NEON has 32 registers, SSE 16.
#if defined(__aarch64__)
#define PLAIN_ROWS 8
#else
#define PLAIN_ROWS 4
#endif

#define NAME tile_plain
#define ROWS PLAIN_ROWS
#define WIDTH 4
#define TARGET
#include "product_tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NAME tile_avx2
#define ROWS 6
#define WIDTH 8
#define TARGET __attribute__((target("arch=x86-64-v3")))
#include "product_tile.h"

// In intrinsics, since the compiler prefers half the width for vectors of 512 bits.
#define AVX512 __attribute__((target("arch=x86-64-v4")))
#define AVX512BF16 __attribute__((target("arch=x86-64-v4,avx512bf16")))

AVX512 static inline __attribute__((always_inline)) void store_tile(__m512 sums[MOST_TILE_ROWS][2], float *c,
                                                                   size_t c_stride, bool adding) {
  for (size_t r = 0; r < MOST_TILE_ROWS; r++) {
    float *row = c + r * c_stride;
    if (adding) {
      sums[r][0] = _mm512_add_ps(_mm512_loadu_ps(row), sums[r][0]);
      sums[r][1] = _mm512_add_ps(_mm512_loadu_ps(row + 16), sums[r][1]);
    }
    _mm512_storeu_ps(row, sums[r][0]);
    _mm512_storeu_ps(row + 16, sums[r][1]);
  }
}

AVX512 static void tile_avx512(const void *rows, size_t stride, const void *panel, size_t depth, float *c,
                               size_t c_stride, bool adding) {
  const float *a = rows, *b = panel;
  __m512 sums[MOST_TILE_ROWS][2];
  for (size_t r = 0; r < MOST_TILE_ROWS; r++) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  for (size_t k = 0; k < depth; k++, b += LASER_PANEL) {
    const __m512 low = _mm512_loadu_ps(b), high = _mm512_loadu_ps(b + 16);
    _Pragma("clang loop unroll(full)")
    for (size_t r = 0; r < MOST_TILE_ROWS; r++) {
      const __m512 value = _mm512_set1_ps(a[r * stride + k]);
      sums[r][0] = _mm512_fmadd_ps(value, low, sums[r][0]);
      sums[r][1] = _mm512_fmadd_ps(value, high, sums[r][1]);
    }
  }
  store_tile(sums, c, c_stride, adding);
}

// depth in pairs, stride in numbers.
AVX512BF16 static void tile_bf16(const void *rows, size_t stride, const void *panel, size_t depth, float *c,
                                 size_t c_stride, bool adding) {
  const uint16_t *a = rows, *b = panel;
  __m512 sums[MOST_TILE_ROWS][2];
  for (size_t r = 0; r < MOST_TILE_ROWS; r++) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  for (size_t k = 0; k < depth; k++, b += 2 * LASER_PANEL) {
    const __m512bh low = (__m512bh)_mm512_loadu_si512(b), high = (__m512bh)_mm512_loadu_si512(b + 32);
    _Pragma("clang loop unroll(full)")
    for (size_t r = 0; r < MOST_TILE_ROWS; r++) {
      int32_t pair;
      memcpy(&pair, a + r * stride + 2 * k, sizeof pair);
      const __m512bh value = (__m512bh)_mm512_set1_epi32(pair);
      sums[r][0] = _mm512_dpbf16_ps(sums[r][0], value, low);
      sums[r][1] = _mm512_dpbf16_ps(sums[r][1], value, high);
    }
  }
  store_tile(sums, c, c_stride, adding);
}
#endif

static Tile float_tile(size_t *rows) {
#if defined(__x86_64__)
  if (laser_processor_has_avx512()) return *rows = MOST_TILE_ROWS, tile_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return *rows = 6, tile_avx2;
#endif
  return *rows = PLAIN_ROWS, tile_plain;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static _Thread_local double operations;

double laser_operations(void) { return operations; }

// All panels against one block of rows, which are in scratch.
static void multiply_block(Tile tile, size_t tile_rows, const void *scratch, size_t scratch_stride, size_t rows,
                           const char *panels, size_t panel_bytes, size_t depth, float *c, size_t c_stride,
                           size_t columns, bool adding) {
  const char *block = scratch;
  for (size_t j = 0; j < columns; j += LASER_PANEL, panels += panel_bytes) {
    const size_t width = smaller(LASER_PANEL, columns - j);
    for (size_t i = 0; i < rows; i += tile_rows) {
      const size_t height = smaller(tile_rows, rows - i);
      float *target = c + i * c_stride + j;
      const void *a = block + i * SCRATCH_ROW;
      if (width == LASER_PANEL && height == tile_rows) {
        tile(a, scratch_stride, panels, depth, target, c_stride, adding);
        continue;
      }
      // At the edge of c: the same tile, of which only a part is wanted.
      float whole[MOST_TILE_ROWS * LASER_PANEL];
      tile(a, scratch_stride, panels, depth, whole, LASER_PANEL, false);
      for (size_t r = 0; r < height; r++)
        for (size_t x = 0; x < width; x++) {
          float *element = target + r * c_stride + x;
          *element = adding ? *element + whole[r * LASER_PANEL + x] : whole[r * LASER_PANEL + x];
        }
    }
  }
}

// Rows of scratch of one part of the inner dimension; a tile may read beyond the last.
static size_t scratch_rows(size_t rows) { return smaller(rows, BLOCK_ROWS) + MOST_TILE_ROWS; }

size_t laser_product_scratch_bytes(size_t rows, size_t depth) {
  return (depth / FLOAT_DEPTH + 1) * scratch_rows(rows) * SCRATCH_ROW;
}

// One block of rows, which is in scratch part by part of the inner dimension, against all panels.
static void multiply_rows(Tile tile, size_t tile_rows, const char *scratch, size_t part_bytes, size_t scratch_stride,
                          size_t rows, const char *panels, size_t panel_bytes, size_t unit_bytes, size_t units,
                          size_t part_units, float *c, size_t c_stride, size_t columns, bool adding) {
  for (size_t j = 0; j < columns; j += BLOCK_COLUMNS, panels += BLOCK_COLUMNS / LASER_PANEL * panel_bytes)
    for (size_t k = 0, part = 0; k < units; k += part_units, part++)
      multiply_block(tile, tile_rows, scratch + part * part_bytes, scratch_stride, rows,
                     panels + k * LASER_PANEL * unit_bytes, panel_bytes, smaller(part_units, units - k), c + j, c_stride,
                     smaller(BLOCK_COLUMNS, columns - j), adding || k > 0);
}

void laser_product_f32(const float *a, size_t a_stride, size_t rows, const float *panels, size_t panel_stride,
                       size_t depth, float *c, size_t c_stride, size_t columns, bool adding, void *scratch) {
  size_t tile_rows;
  const Tile tile = float_tile(&tile_rows);
  const size_t part_bytes = scratch_rows(rows) * SCRATCH_ROW;
  operations += 2.0 * (double)rows * (double)depth * (double)columns;
  for (size_t i = 0; i < rows; i += BLOCK_ROWS) {
    const size_t height = smaller(BLOCK_ROWS, rows - i);
    char *target = scratch;
    for (size_t k = 0; k < depth; k += FLOAT_DEPTH, target += part_bytes)
      for (size_t r = 0; r < height; r++)
        memcpy(target + r * SCRATCH_ROW, a + (i + r) * a_stride + k, smaller(FLOAT_DEPTH, depth - k) * sizeof(float));
    multiply_rows(tile, tile_rows, scratch, part_bytes, SCRATCH_ROW / sizeof(float), height, (const char *)panels,
                  panel_stride * sizeof(float), sizeof(float), depth, FLOAT_DEPTH, c + i * c_stride, c_stride, columns,
                  adding);
  }
}

void laser_product_bf16(const float *a, size_t a_stride, size_t rows, const uint16_t *panels, size_t panel_stride,
                        size_t depth, float *c, size_t c_stride, size_t columns, bool adding, void *scratch) {
#if defined(__x86_64__)
  const size_t part_bytes = scratch_rows(rows) * SCRATCH_ROW;
  operations += 2.0 * (double)rows * (double)depth * (double)columns;
  for (size_t i = 0; i < rows; i += BLOCK_ROWS) {
    const size_t height = smaller(BLOCK_ROWS, rows - i);
    char *target = scratch;
    for (size_t k = 0; k < depth; k += 2 * FLOAT_DEPTH, target += part_bytes) {
      const size_t part = smaller(2 * FLOAT_DEPTH, depth - k);
      for (size_t r = 0; r < height; r++) {
        uint16_t *row = (uint16_t *)(target + r * SCRATCH_ROW);
        laser_narrow_bf16(a + (i + r) * a_stride + k, row, part);
        if (part % 2 == 1) row[part] = 0;
      }
    }
    // Depths in pairs.
    multiply_rows(tile_bf16, MOST_TILE_ROWS, scratch, part_bytes, SCRATCH_ROW / sizeof(uint16_t), height,
                  (const char *)panels, panel_stride * sizeof(uint16_t), 2 * sizeof(uint16_t), (depth + 1) / 2,
                  FLOAT_DEPTH, c + i * c_stride, c_stride, columns, adding);
  }
#endif
}
