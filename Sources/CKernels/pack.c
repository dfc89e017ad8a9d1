#include "CKernels.h"
#include "dispatch.h"
#include <string.h>

typedef uint32_t Units __attribute__((vector_size(32), aligned(4)));

// Eight rows of eight units become eight columns.
#define PAIR(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
static inline __attribute__((always_inline)) void transpose_block(const uint32_t *source, size_t stride,
                                                                  uint32_t *target, size_t target_stride) {
  Units r[8], s[8];
  for (size_t i = 0; i < 8; i++) r[i] = *(const Units *)(source + i * stride);
  for (size_t i = 0; i < 8; i += 2) {
    s[i] = PAIR(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    s[i + 1] = PAIR(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (size_t i = 0; i < 8; i += 4)
    for (size_t j = 0; j < 2; j++) {
      r[i + 2 * j] = PAIR(s[i + j], s[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      r[i + 2 * j + 1] = PAIR(s[i + j], s[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (size_t i = 0; i < 4; i++) {
    *(Units *)(target + i * target_stride) = PAIR(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    *(Units *)(target + (i + 4) * target_stride) = PAIR(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

DISPATCHED void laser_pack_panel(const void *rows, size_t stride, size_t count, size_t depth, void *panel) {
  const uint32_t *source = rows;
  uint32_t *target = panel;
  const size_t whole_rows = count / 8 * 8, whole_depth = depth / 8 * 8;
  for (size_t j = 0; j < whole_rows; j += 8)
    for (size_t k = 0; k < whole_depth; k += 8)
      transpose_block(source + j * stride + k, stride, target + k * LASER_PANEL + j, LASER_PANEL);
  for (size_t k = 0; k < depth; k++)
    for (size_t j = k < whole_depth ? whole_rows : 0; j < LASER_PANEL; j++)
      target[k * LASER_PANEL + j] = j < count ? source[j * stride + k] : 0;
}

DISPATCHED void laser_transpose(const float *source, size_t stride, size_t rows, size_t columns, float *target,
                                size_t target_stride) {
  const size_t whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
  for (size_t c = 0; c < whole_columns; c += 8)
    for (size_t r = 0; r < whole_rows; r += 8)
      transpose_block((const uint32_t *)(source + r * stride + c), stride, (uint32_t *)(target + c * target_stride + r),
                      target_stride);
  for (size_t c = 0; c < columns; c++)
    for (size_t r = c < whole_columns ? whole_rows : 0; r < rows; r++) target[c * target_stride + r] = source[r * stride + c];
}

DISPATCHED void laser_pack_columns(const void *matrix, size_t stride, size_t rows, size_t columns, void *target) {
  const uint32_t *source = matrix;
  uint32_t *panels = target;
  for (size_t first = 0; first < columns; first += LASER_PANEL, panels += rows * LASER_PANEL) {
    const size_t width = columns - first < LASER_PANEL ? columns - first : LASER_PANEL;
    for (size_t r = 0; r < rows; r++) {
      memcpy(panels + r * LASER_PANEL, source + r * stride + first, width * sizeof *panels);
      for (size_t c = width; c < LASER_PANEL; c++) panels[r * LASER_PANEL + c] = 0;
    }
  }
}
