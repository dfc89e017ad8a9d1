#include "CKernels.h"
#include "dispatch.h"
#include "exponential.h"

DISPATCHED void laser_swiglu(float *gate, const float *up, size_t count) {
  for (size_t i = 0; i < count; i++) gate[i] = gate[i] / (1.0f + exponential(-gate[i])) * up[i];
}
