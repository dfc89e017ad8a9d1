#include "CKernels.h"
#include <string.h>

// In tiles, so that where one side is transposed its cache lines are not fetched once for every number.
enum { TILE = 32 };

static inline void copy(const char *source, size_t source_row, size_t source_column, char *target, size_t target_row,
                        size_t target_column, size_t rows, size_t columns, size_t size) {
  for (size_t first = 0; first < rows; first += TILE) {
    const size_t last = first + TILE < rows ? first + TILE : rows;
    for (size_t begin = 0; begin < columns; begin += TILE) {
      const size_t end = begin + TILE < columns ? begin + TILE : columns;
      for (size_t r = first; r < last; r++)
        for (size_t c = begin; c < end; c++)
          memcpy(target + (r * target_row + c * target_column) * size,
                 source + (r * source_row + c * source_column) * size, size);
    }
  }
}

void laser_copy_strided(const void *source, size_t source_row, size_t source_column, void *target, size_t target_row,
                        size_t target_column, size_t rows, size_t columns, size_t size) {
  // Mapped tensors may start at an odd byte; a size that the compiler knows makes one move of each copy.
  if (size == 2)
    copy(source, source_row, source_column, target, target_row, target_column, rows, columns, 2);
  else if (size == 4)
    copy(source, source_row, source_column, target, target_row, target_column, rows, columns, 4);
  else
    copy(source, source_row, source_column, target, target_row, target_column, rows, columns, size);
}
