#include "CKernels.h"
#include "dispatch.h"
#include "exponential.h"
#include <math.h>

static inline size_t largest(const float *row, size_t columns) {
  size_t best = 0;
  for (size_t c = 1; c < columns; c++)
    if (row[c] > row[best]) best = c;
  return best;
}

DISPATCHED void laser_divergence(const float *a, const float *b, size_t rows, size_t columns, double *divergence,
                                 bool *same_top) {
  REASSOCIATE
  for (size_t r = 0; r < rows; r++) {
    const float *p = a + r * columns, *q = b + r * columns;
    const size_t top_p = largest(p, columns), top_q = largest(q, columns);
    const float max_p = p[top_p], max_q = q[top_q];
    // In float64: the two halves of the result nearly cancel.
    double sum_p = 0, sum_q = 0, cross = 0;
    for (size_t c = 0; c < columns; c++) {
      const float e = exponential(p[c] - max_p);
      sum_p += (double)e;
      sum_q += (double)exponential(q[c] - max_q);
      cross += (double)e * ((double)(p[c] - max_p) - (double)(q[c] - max_q));
    }
    const double result = cross / sum_p - log(sum_p) + log(sum_q);
    divergence[r] = result > 0 ? result : 0;
    same_top[r] = top_p == top_q;
  }
}
