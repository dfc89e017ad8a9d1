// One tile of a float32 product: ROWS rows of a against a panel, in vectors of WIDTH numbers. Included by product.c
// once for each instruction set, with NAME, ROWS, WIDTH and TARGET defined.
#define VECTOR JOIN(NAME, _vector)
typedef float VECTOR __attribute__((vector_size(4 * WIDTH), aligned(4)));

TARGET static void NAME(const void *rows, size_t stride, const void *panel, size_t depth, float *c, size_t c_stride,
                        bool adding) {
  _Pragma("clang fp contract(fast)")
  const float *a = rows;
  for (size_t part = 0; part < LASER_PANEL; part += 2 * WIDTH) {
    VECTOR sums[ROWS][2];
    for (size_t r = 0; r < ROWS; r++) sums[r][0] = sums[r][1] = (VECTOR){0};
    const float *b = (const float *)panel + part;
    for (size_t k = 0; k < depth; k++, b += LASER_PANEL) {
      const VECTOR low = *(const VECTOR *)b, high = *(const VECTOR *)(b + WIDTH);
      _Pragma("clang loop unroll(full)")
      for (size_t r = 0; r < ROWS; r++) {
        sums[r][0] += a[r * stride + k] * low;
        sums[r][1] += a[r * stride + k] * high;
      }
    }
    for (size_t r = 0; r < ROWS; r++) {
      VECTOR *low = (VECTOR *)(c + r * c_stride + part), *high = (VECTOR *)(c + r * c_stride + part + WIDTH);
      *low = adding ? *low + sums[r][0] : sums[r][0];
      *high = adding ? *high + sums[r][1] : sums[r][1];
    }
  }
}
#undef VECTOR
#undef NAME
#undef ROWS
#undef WIDTH
#undef TARGET
