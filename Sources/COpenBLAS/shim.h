// Debian: libopenblas-dev (cblas.h, openblas_config.h) and liblapacke-dev (lapacke.h).
#include <cblas.h>
#include <lapacke.h>
