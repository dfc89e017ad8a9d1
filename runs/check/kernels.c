// Holds the C targets to plain loops, on a machine that Swift need not run on. Prints one line for each kernel whose
// bits are the same on every processor: a hash of what it made of the same numbers. runs/check/arm64.sh compares these.
// Compiled without fused multiplications (-ffp-contract=off); the kernels are compiled as the package does.
#include "CFiles.h"
#include "CKernels.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

#define CHECK(condition, ...)                         \
  do {                                                \
    if (!(condition)) {                               \
      failures++;                                     \
      fprintf(stderr, "%s:%d: ", __func__, __LINE__); \
      fprintf(stderr, __VA_ARGS__);                   \
      fputc('\n', stderr);                            \
    }                                                 \
  } while (0)

// MARK: Numbers and comparisons

static uint64_t state = 1;

static uint64_t next(void) {  // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Du;
}

// From -1 to 1.
static float uniform(void) { return (float)((double)(next() >> 40) / (1 << 23) - 1); }

static float *floats(size_t count, float scale) {
  float *result = malloc((count + 1) * sizeof *result);
  for (size_t i = 0; i < count; i++) result[i] = scale * uniform();
  return result;
}

static float *zeros(size_t count) { return calloc(count + 1, sizeof(float)); }

static float *copy(const float *source, size_t count) {
  return memcpy(malloc(count * sizeof(float)), source, count * sizeof(float));
}

static void hash(const char *name, const void *bytes, size_t count) {  // FNV-1a
  uint64_t result = 0xCBF29CE484222325u;
  for (size_t i = 0; i < count; i++) result = (result ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
  printf("%s %016llx\n", name, (unsigned long long)result);
}

// As far apart as `tolerance` roundings to float32 of numbers of that size.
static void near(const char *name, double found, double expected, double size, double tolerance) {
  CHECK(fabs(found - expected) <= tolerance * size * 0x1p-24, "%s: %.9g instead of %.9g", name, found, expected);
}

static double silu(double x) { return x / (1 + exp(-x)); }

// MARK: Stored types

static float float_of(uint32_t bits) {
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

// The nearest number with so many bits after the first, ties to even; those of the smallest exponent are the last.
static float rounded(float x, int bits, int smallest) {
  int exponent;
  frexpf(x, &exponent);
  const int place = (exponent - 1 > smallest ? exponent - 1 : smallest) - bits;
  return (float)ldexp(rint(ldexp(x, -place)), place);
}

static void check_stored_types(void) {
  enum { ALL = 65536 };
  static uint16_t halves[ALL], narrow[ALL];
  static float found[ALL], source[ALL];
  static double wide[ALL];
  for (uint32_t i = 0; i < ALL; i++) {
    const uint16_t half = (uint16_t)i;
    const int f16 = i >> 10 & 31, bf16 = i >> 7 & 255;
    CHECK(laser_expand_f16(&half, found, 1) == (f16 != 31), "f16 %04x", i);
    const double magnitude = f16 == 0 ? ldexp(i & 1023, -24) : ldexp(1024 + (i & 1023), f16 - 25);
    if (f16 != 31) CHECK(found[0] == (float)(i >> 15 ? -magnitude : magnitude), "f16 %04x", i);
    CHECK(laser_expand_bf16(&half, found, 1) == (bf16 != 255), "bf16 %04x", i);
    if (bf16 != 255) CHECK(found[0] == float_of(i << 16), "bf16 %04x", i);
    halves[i] = bf16 == 255 ? 0 : half;
    source[i] = ldexpf(uniform(), (int)(next() % 60) - 40);
    wide[i] = source[i];
  }
  CHECK(laser_expand_bf16(halves, found, ALL), "bf16");
  hash("expand_bf16", found, sizeof found);
  CHECK(laser_expand_f32(source, found, ALL) && memcmp(source, found, sizeof found) == 0, "f32");
  laser_round_f32(wide, found, ALL);
  CHECK(memcmp(source, found, sizeof found) == 0, "f32");
  laser_narrow_bf16(source, narrow, ALL);
  laser_round_bf16(wide, halves, ALL);
  CHECK(memcmp(narrow, halves, sizeof halves) == 0, "bf16");
  laser_expand_bf16(halves, found, ALL);
  for (size_t i = 0; i < ALL; i++) CHECK(found[i] == rounded(source[i], 7, -126), "bf16 of %a", source[i]);
  laser_round_f16(wide, halves, ALL);
  for (size_t i = 0; i < ALL; i++) {
    const float expected = rounded(source[i], 10, -14);
    const bool is_finite = laser_expand_f16(halves + i, found, 1);
    CHECK(is_finite == (fabsf(expected) < 65520) && (!is_finite || found[0] == expected), "f16 of %a", source[i]);
  }
  hash("round_f16", halves, sizeof halves);
}

// Quantising and expanding, in bits that are ggml's: the tests of the package hold them to it on x86-64.
static void check_blocks(void) {
  static const struct {
    const char *name;
    size_t count, bytes;
    bool (*expand)(const void *, float *, size_t);
    void (*quantize)(const float *, void *, size_t);
    double error;  // of numbers from -1 to 1
  } formats[] = {
      {"q8_0", 32, 34, laser_expand_q8_0, laser_quantize_q8_0, 0.005},
      {"q4_0", 32, 18, laser_expand_q4_0, laser_quantize_q4_0, 0.14},
      {"q4_1", 32, 20, laser_expand_q4_1, laser_quantize_q4_1, 0.08},
      {"q5_0", 32, 22, laser_expand_q5_0, laser_quantize_q5_0, 0.07},
      {"q5_1", 32, 24, laser_expand_q5_1, laser_quantize_q5_1, 0.04},
      {"q2_k", 256, 84, laser_expand_q2_k, laser_quantize_q2_k, 0.6},
      {"q3_k", 256, 110, laser_expand_q3_k, laser_quantize_q3_k, 0.4},
      {"q4_k", 256, 144, laser_expand_q4_k, laser_quantize_q4_k, 0.15},
      {"q5_k", 256, 176, laser_expand_q5_k, laser_quantize_q5_k, 0.08},
      {"q6_k", 256, 210, laser_expand_q6_k, laser_quantize_q6_k, 0.06},
  };
  enum { COUNT = 4096 };
  for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
    const size_t bytes = COUNT / formats[f].count * formats[f].bytes;
    float *source = floats(COUNT, 1), *found = zeros(COUNT);
    uint8_t *blocks = malloc(bytes);
    formats[f].quantize(source, blocks, COUNT);
    CHECK(formats[f].expand(blocks, found, COUNT), "%s", formats[f].name);
    for (size_t i = 0; i < COUNT; i++)
      CHECK(fabs(found[i] - source[i]) <= formats[f].error, "%s: %g of %g", formats[f].name, found[i], source[i]);
    hash(formats[f].name, blocks, bytes);
    hash(formats[f].name, found, COUNT * sizeof *found);
    source[COUNT / 2] = NAN;
    formats[f].quantize(source, blocks, COUNT);
    CHECK(!formats[f].expand(blocks, found, COUNT), "%s: a NaN is taken", formats[f].name);
    free(source), free(found), free(blocks);
  }
}

// MARK: Loops over rows

enum { ROWS = 7, COLUMNS = 203, STRIDE = 210 };
#define AT(matrix, r, c) ((matrix)[(r) * STRIDE + (c)])
#define EACH(r, c) \
  for (size_t r = 0; r < ROWS; r++) \
    for (size_t c = 0; c < COLUMNS; c++)

static void check_sums(void) {
  float *a = floats(ROWS * STRIDE, 1), *b = floats(ROWS * STRIDE, 1);
  for (size_t count = 0; count < 200; count++) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)a[i] * b[i];
    near("dot", laser_dot(a, b, count), sum, 1, 4 + sqrt((double)count) * 8);
  }
  double sums[COLUMNS] = {0}, expected[COLUMNS] = {0};
  EACH(r, c) expected[c] += (double)AT(a, r, c) * (double)AT(b, r, c);
  laser_add_column_dots(a, STRIDE, b, STRIDE, ROWS, COLUMNS, sums);
  CHECK(memcmp(sums, expected, sizeof sums) == 0, "column dots");
  hash("column_dots", sums, sizeof sums);
  free(a), free(b);
}

static void check_norm(void) {
  const float epsilon = 1e-5f;
  float *x = floats(ROWS * STRIDE, 2), *weight = floats(COLUMNS, 1), *g = floats(ROWS * STRIDE, 1);
  float *y = zeros(ROWS * STRIDE), *result = floats(ROWS * STRIDE, 1), *before = copy(result, ROWS * STRIDE);
  laser_rms_norm(x, STRIDE, weight, epsilon, y, STRIDE, ROWS, COLUMNS);
  laser_rms_norm_gradient(x, STRIDE, weight, epsilon, g, STRIDE, result, STRIDE, ROWS, COLUMNS);
  for (size_t r = 0; r < ROWS; r++) {
    double squares = 0, along = 0;
    for (size_t c = 0; c < COLUMNS; c++) {
      squares += (double)AT(x, r, c) * AT(x, r, c);
      along += (double)weight[c] * AT(g, r, c) * AT(x, r, c);
    }
    const double factor = 1 / sqrt(squares / COLUMNS + (double)epsilon);
    for (size_t c = 0; c < COLUMNS; c++) {
      near("rms_norm", AT(y, r, c), weight[c] * AT(x, r, c) * factor, 2, 16);
      const double slope = factor * (weight[c] * AT(g, r, c) - AT(x, r, c) * factor * factor * along / COLUMNS);
      near("rms_norm_gradient", AT(result, r, c), AT(before, r, c) + slope, 4, 16);
    }
  }
  free(x), free(weight), free(g), free(y), free(result), free(before);
}

static void check_swiglu(void) {
  float *gate = floats(ROWS * STRIDE, 9), *up = floats(ROWS * STRIDE, 2), *g = floats(ROWS * STRIDE, 1);
  float *out = copy(gate, ROWS * STRIDE), *dgate = copy(gate, ROWS * STRIDE), *dup = copy(up, ROWS * STRIDE);
  laser_swiglu(out, STRIDE, up, STRIDE, ROWS, COLUMNS);
  laser_swiglu_gradient(dgate, STRIDE, dup, STRIDE, g, STRIDE, ROWS, COLUMNS);
  EACH(r, c) {
    const double a = AT(gate, r, c), b = AT(up, r, c), sigmoid = 1 / (1 + exp(-a));
    near("swiglu", AT(out, r, c), silu(a) * b, 20, 8);
    near("swiglu_gradient", AT(dgate, r, c), AT(g, r, c) * b * sigmoid * (1 + a * (1 - sigmoid)), 4, 32);
    near("swiglu_gradient", AT(dup, r, c), AT(g, r, c) * silu(a), 10, 8);
  }
  free(gate), free(up), free(g), free(out), free(dgate), free(dup);
}

static void check_rotary(void) {
  enum { HEADS = 3, DIMENSION = 20, HALF = DIMENSION / 2 };
  float *x = floats(ROWS * STRIDE, 1), *cosines = zeros(ROWS * HALF), *sines = zeros(ROWS * HALF);
  for (size_t i = 0; i < ROWS * HALF; i++) cosines[i] = cosf((float)i), sines[i] = sinf((float)i);
  for (int interleaved = 0; interleaved < 2; interleaved++) {
    float *y = copy(x, ROWS * STRIDE);
    void (*rotate)(float *, size_t, size_t, size_t, size_t, const float *, const float *, bool) =
        interleaved ? laser_rotate_interleaved : laser_rotate;
    rotate(y, STRIDE, ROWS, HEADS, DIMENSION, cosines, sines, false);
    for (size_t r = 0; r < ROWS; r++)
      for (size_t h = 0; h < HEADS; h++)
        for (size_t i = 0; i < HALF; i++) {
          const size_t first = h * DIMENSION + (interleaved ? 2 * i : i), second = first + (interleaved ? 1 : HALF);
          const double a = AT(x, r, first), b = AT(x, r, second), c = cosines[r * HALF + i], s = sines[r * HALF + i];
          near("rotate", AT(y, r, first), a * c - b * s, 1, 4);
          near("rotate", AT(y, r, second), b * c + a * s, 1, 4);
        }
    rotate(y, STRIDE, ROWS, HEADS, DIMENSION, cosines, sines, true);
    EACH(r, c) near("rotated back", AT(y, r, c), AT(x, r, c), 1, 8);
    free(y);
  }
  free(x), free(cosines), free(sines);
}

static void check_softmax(void) {
  const float scale = 0.7f;
  float *x = floats(ROWS * STRIDE, 30), *y = copy(x, ROWS * STRIDE);
  const size_t start = 100, window = 40;
  laser_causal_softmax(y, STRIDE, ROWS, COLUMNS, start, window, scale);
  for (size_t r = 0; r < ROWS; r++) {
    const size_t last = start + r + 1, first = last - window;
    double sum = 0;
    for (size_t c = first; c < last; c++) sum += exp((double)scale * AT(x, r, c));
    for (size_t c = 0; c < COLUMNS; c++) {
      const bool is_seen = first <= c && c < last;
      near("softmax", AT(y, r, c), is_seen ? exp((double)scale * AT(x, r, c)) / sum : 0, is_seen, 64);
    }
  }
  float *g = floats(ROWS * STRIDE, 1), *slope = copy(g, ROWS * STRIDE);
  laser_softmax_gradient(y, STRIDE, slope, STRIDE, ROWS, COLUMNS, scale);
  for (size_t r = 0; r < ROWS; r++) {
    double mean = 0;
    for (size_t c = 0; c < COLUMNS; c++) mean += (double)AT(y, r, c) * AT(g, r, c);
    for (size_t c = 0; c < COLUMNS; c++)
      near("softmax_gradient", AT(slope, r, c), scale * AT(y, r, c) * (AT(g, r, c) - mean), 1, 16);
  }
  float maximum[ROWS];
  double sum[ROWS] = {0}, log_sums[ROWS];
  for (size_t r = 0; r < ROWS; r++) maximum[r] = -INFINITY;
  for (size_t c = 0; c < COLUMNS; c += 50)
    laser_accumulate_exponentials(x + c, STRIDE, ROWS, COLUMNS - c < 50 ? COLUMNS - c : 50, maximum, sum);
  for (size_t r = 0; r < ROWS; r++) {
    double expected = 0;
    for (size_t c = 0; c < COLUMNS; c++) expected += exp((double)AT(x, r, c));
    log_sums[r] = log(sum[r]) + maximum[r];
    near("accumulate_exponentials", log_sums[r], log(expected), 1, 64);
  }
  float *e = copy(x, ROWS * STRIDE);
  laser_exponentials(e, STRIDE, ROWS, COLUMNS, log_sums);
  EACH(r, c) near("exponentials", AT(e, r, c), exp(AT(x, r, c) - log_sums[r]), 1, 64);
  free(x), free(y), free(g), free(slope), free(e);
}

static void check_divergence(void) {
  float *a = floats(ROWS * COLUMNS, 5), *b = floats(ROWS * COLUMNS, 5);
  memcpy(b, a, COLUMNS * sizeof *a);
  double divergence[ROWS];
  bool same_top[ROWS];
  laser_divergence(a, b, ROWS, COLUMNS, divergence, same_top);
  for (size_t r = 0; r < ROWS; r++) {
    const float *p = a + r * COLUMNS, *q = b + r * COLUMNS;
    double sum_p = 0, sum_q = 0, expected = 0;
    size_t top_p = 0, top_q = 0;
    for (size_t c = 0; c < COLUMNS; c++) {
      sum_p += exp((double)p[c]), sum_q += exp((double)q[c]);
      if (p[c] > p[top_p]) top_p = c;
      if (q[c] > q[top_q]) top_q = c;
    }
    for (size_t c = 0; c < COLUMNS; c++)
      expected += exp((double)p[c]) / sum_p * (p[c] - q[c] - log(sum_p) + log(sum_q));
    near("divergence", divergence[r], expected, 10, 16);
    CHECK(same_top[r] == (top_p == top_q), "top");
  }
  CHECK(divergence[0] == 0 && same_top[0], "a model and itself");
  free(a), free(b);
}

static void check_gathering(void) {
  enum { COUNT = 5, GROUP = 3 };
  static const int32_t indices[COUNT] = {6, 0, 3, 1, 4};
  float *source = floats(ROWS * GROUP * STRIDE, 1), *weights = floats(COUNT, 1);
  float *target = floats(ROWS * STRIDE, 1), *expected = copy(target, ROWS * STRIDE);
  laser_gather_rows(source, STRIDE, indices, COUNT, COLUMNS, target);
  for (size_t i = 0; i < COUNT; i++)
    CHECK(memcmp(target + i * COLUMNS, source + indices[i] * STRIDE, COLUMNS * sizeof *target) == 0, "gather");
  memcpy(target, expected, ROWS * STRIDE * sizeof *target);
  laser_scatter_weighted_rows(source, indices, weights, COUNT, COLUMNS, target);
  for (size_t i = 0; i < COUNT; i++)
    for (size_t c = 0; c < COLUMNS; c++)
      expected[(size_t)indices[i] * COLUMNS + c] = weights[i] * source[i * COLUMNS + c];
  CHECK(memcmp(target, expected, ROWS * STRIDE * sizeof *target) == 0, "scatter");
  laser_add_weighted_rows(source, indices, weights + 1, COUNT - 1, COLUMNS, target);
  for (size_t i = 0; i < COUNT - 1; i++)
    for (size_t c = 0; c < COLUMNS; c++) {
      const float product = weights[i + 1] * source[i * COLUMNS + c];
      expected[(size_t)indices[i] * COLUMNS + c] += product;
    }
  CHECK(memcmp(target, expected, ROWS * STRIDE * sizeof *target) == 0, "add weighted");
  laser_add_row(source, target, STRIDE, ROWS, COLUMNS);
  EACH(r, c) AT(expected, r, c) += source[c];
  CHECK(memcmp(target, expected, ROWS * STRIDE * sizeof *target) == 0, "add row");
  laser_add_grouped_rows(source, GROUP, ROWS, COLUMNS, target, STRIDE);
  EACH(r, c) {
    float sum = source[r * GROUP * COLUMNS + c];
    for (size_t g = 1; g < GROUP; g++) sum += source[(r * GROUP + g) * COLUMNS + c];
    AT(expected, r, c) += sum;
  }
  CHECK(memcmp(target, expected, ROWS * STRIDE * sizeof *target) == 0, "add grouped");
  hash("rows", target, ROWS * STRIDE * sizeof *target);
  free(source), free(weights), free(target), free(expected);
}

static void check_synthetic(void) {
  enum { RANK = 4 };
  uint16_t found[COLUMNS];
  float *left = floats(RANK, 1), *right = floats(RANK * COLUMNS, 1);
  laser_synthetic_row(12345, 0.02f, left, right, RANK, COLUMNS, found);
  hash("synthetic", found, sizeof found);
  free(left), free(right);
}

// MARK: Products

static void check_packing(void) {
  float *source = floats(40 * STRIDE, 1), *panel = zeros(STRIDE * LASER_PANEL * 7);
  for (size_t count = 1; count <= LASER_PANEL; count++) {
    laser_pack_panel(source, STRIDE, count, COLUMNS, panel);
    for (size_t k = 0; k < COLUMNS; k++)
      for (size_t j = 0; j < LASER_PANEL; j++)
        CHECK(panel[k * LASER_PANEL + j] == (j < count ? AT(source, j, k) : 0), "panel of %zu", count);
  }
  laser_pack_columns(source, STRIDE, ROWS, COLUMNS, panel);
  for (size_t c = 0; c < (COLUMNS + LASER_PANEL - 1) / LASER_PANEL * LASER_PANEL; c++)
    for (size_t r = 0; r < ROWS; r++)
      CHECK(panel[(c / LASER_PANEL * ROWS + r) * LASER_PANEL + c % LASER_PANEL] == (c < COLUMNS ? AT(source, r, c) : 0),
            "columns");
  laser_transpose(source, STRIDE, ROWS, COLUMNS, panel, 9);
  EACH(r, c) CHECK(panel[c * 9 + r] == AT(source, r, c), "transpose");
  free(source), free(panel);
}

static void check_product(size_t rows, size_t depth, size_t columns) {
  const size_t panels = (columns + LASER_PANEL - 1) / LASER_PANEL, panel_stride = depth * LASER_PANEL;
  float *a = floats(rows * depth, 1), *b = floats(columns * depth, 1), *packed = zeros(panels * panel_stride);
  float *c = zeros(rows * columns), *alone = zeros(columns);
  void *scratch = malloc(laser_product_scratch_bytes(rows, depth));
  for (size_t p = 0; p < panels; p++) {
    const size_t left = columns - p * LASER_PANEL;
    laser_pack_panel(b + p * LASER_PANEL * depth, depth, left < LASER_PANEL ? left : LASER_PANEL, depth,
                     packed + p * panel_stride);
  }
  laser_product_f32(a, depth, rows, packed, panel_stride, depth, c, columns, columns, false, scratch);
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      double sum = 0;
      for (size_t k = 0; k < depth; k++) sum += (double)a[i * depth + k] * b[j * depth + k];
      near("product", c[i * columns + j], sum, sqrt((double)depth), (double)depth);
    }
    // A row is the same to the bit alone and among others.
    laser_product_f32(a + i * depth, depth, 1, packed, panel_stride, depth, alone, columns, columns, false, scratch);
    CHECK(memcmp(alone, c + i * columns, columns * sizeof *c) == 0, "row %zu of %zu x %zu", i, rows, depth);
  }
  float *twice = copy(c, rows * columns);
  laser_product_f32(a, depth, rows, packed, panel_stride, depth, twice, columns, columns, true, scratch);
  for (size_t i = 0; i < rows * columns && depth <= 256; i++) CHECK(twice[i] == 2 * c[i], "adding");
  free(a), free(b), free(packed), free(c), free(alone), free(scratch), free(twice);
}

// MARK: Files

static void check_files(void) {
  char folder[] = "/tmp/laser-files-XXXXXX", a[64], b[64];
  if (!mkdtemp(folder)) exit(2);
  snprintf(a, sizeof a, "%s/a", folder);
  snprintf(b, sizeof b, "%s/b", folder);
  const long page = sysconf(_SC_PAGESIZE);
  const int one = open(a, O_CREAT | O_RDWR, 0600), two = open(b, O_CREAT | O_RDWR, 0600);
  CHECK(ftruncate(one, 2 * page) == 0 && ftruncate(two, 1) == 0, "files");
  CHECK(files_exchange(a, b) == 0, "exchange");
  CHECK(lseek(open(a, O_RDONLY), 0, SEEK_END) == 1 && lseek(open(b, O_RDONLY), 0, SEEK_END) == 2 * page, "exchanged");
  CHECK(files_exchange(a, "/tmp/laser-nothing/there") != 0, "exchange with nothing");
  CHECK(files_flush_standard_output() == 0, "standard output");

  // A page that the file no longer has: status 1 and a line that names the file; without a note, the signal.
  const char *mapped = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE, one, 0);
  CHECK(mapped != MAP_FAILED && ftruncate(one, 0) == 0, "mapping");
  for (int is_noted = 0; is_noted < 2; is_noted++) {
    int ends[2], status = 0;
    char message[512] = {0};
    if (pipe(ends) != 0) exit(2);
    const pid_t child = fork();
    if (child == 0) {
      dup2(ends[1], STDERR_FILENO);
      files_explain_faults();
      struct files_mapping *note = files_mapping_add(mapped, 2 * page, "weights.bin");
      if (!is_noted) files_mapping_remove(note);
      _exit(*(volatile const char *)(mapped + page) + 9);
    }
    close(ends[1]);
    CHECK(waitpid(child, &status, 0) == child && read(ends[0], message, sizeof message - 1) >= 0, "child");
    if (is_noted) {
      CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %x", status);
      CHECK(strstr(message, "Error: weights.bin: ") == message, "message: %s", message);
    } else {
      CHECK(WIFSIGNALED(status), "status %x", status);
    }
  }
  unlink(a), unlink(b), rmdir(folder);
}

int main(void) {
  laser_keep_freed_memory();
#if !defined(__x86_64__)
  CHECK(!laser_processor_has_avx2() && !laser_processor_has_avx512(), "processor");
#endif
  check_stored_types();
  check_blocks();
  check_sums();
  check_norm();
  check_swiglu();
  check_rotary();
  check_softmax();
  check_divergence();
  check_gathering();
  check_synthetic();
  check_packing();
  static const size_t shapes[][3] = {{1, 1, 1},   {5, 7, 3},     {12, 256, 32},  {13, 64, 33},
                                     {24, 30, 96}, {251, 515, 70}, {250, 1100, 40}, {9, 20, 600}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) check_product(shapes[s][0], shapes[s][1], shapes[s][2]);
  CHECK(laser_operations() > 0, "operations");
  check_files();
  if (failures > 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures > 0;
}
