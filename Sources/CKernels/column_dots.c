#include "CKernels.h"
#include "dispatch.h"

// A product of two float32 is exact in float64, so that the sums are the same bits with every instruction set.
DISPATCHED void laser_add_column_dots(const float *a, size_t a_stride, const float *b, size_t b_stride, size_t rows,
                                      size_t columns, double *sums) {
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) sums[c] += (double)a[r * a_stride + c] * (double)b[r * b_stride + c];
}
