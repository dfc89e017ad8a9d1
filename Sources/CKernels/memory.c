#include "CKernels.h"
#if defined(__GLIBC__)
#include <malloc.h>
#endif

// Scratch of a few megabytes is taken and freed over and over. Larger blocks, states of tokens for the most part, are
// still given back at once.
void laser_keep_freed_memory(void) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}
