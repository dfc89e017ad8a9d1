#include "CKernels.h"
#include "dispatch.h"

DISPATCHED float laser_dot(const float *a, const float *b, size_t count) {
  REASSOCIATE
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}
