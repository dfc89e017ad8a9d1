#include "CKernels.h"
#include "dispatch.h"

DISPATCHED void laser_add_row(const float *row, float *target, size_t stride, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) target[r * stride + c] += row[c];
}
