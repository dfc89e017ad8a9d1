#include "CKernels.h"
#include "dispatch.h"
#include <string.h>

void laser_gather_rows(const float *source, size_t stride, const int32_t *indices, size_t count, size_t columns,
                       float *target) {
  for (size_t i = 0; i < count; i++)
    memcpy(target + i * columns, source + (size_t)indices[i] * stride, columns * sizeof(float));
}

DISPATCHED void laser_scatter_weighted_rows(const float *source, const int32_t *indices, const float *weights,
                                            size_t count, size_t columns, float *target) {
  for (size_t i = 0; i < count; i++) {
    float *row = target + (size_t)indices[i] * columns;
    for (size_t c = 0; c < columns; c++) row[c] = weights[i] * source[i * columns + c];
  }
}

DISPATCHED void laser_add_weighted_rows(const float *source, const int32_t *indices, const float *weights, size_t count,
                                        size_t columns, float *target) {
  _Pragma("clang fp contract(off)")
  for (size_t i = 0; i < count; i++) {
    float *row = target + (size_t)indices[i] * columns;
    for (size_t c = 0; c < columns; c++) row[c] += weights[i] * source[i * columns + c];
  }
}

DISPATCHED void laser_add_grouped_rows(const float *source, size_t group, size_t rows, size_t columns, float *target,
                                       size_t stride) {
  for (size_t i = 0; i < rows; i++) {
    float *row = target + i * stride;
    const float *first = source + i * group * columns;
    for (size_t c = 0; c < columns; c++) {
      float sum = first[c];
      for (size_t g = 1; g < group; g++) sum += first[g * columns + c];
      row[c] += sum;
    }
  }
}
