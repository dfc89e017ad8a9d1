// The loops that Swift cannot vectorise well. Every function is plain C, compiled for several instruction sets and
// chosen when the program loads (see dispatch.h); none allocates, none keeps state. Matrices are row-major; a
// `stride` is the distance between rows, in elements.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// MARK: convert.c — stored types to float32 and back, rounding to nearest, ties to even.
// The expanding functions return false if a number is not finite.
bool laser_expand_bf16(const void *source, float *target, size_t count);
bool laser_expand_f16(const void *source, float *target, size_t count);
bool laser_expand_f32(const void *source, float *target, size_t count);
void laser_round_bf16(const double *source, void *target, size_t count);
void laser_round_f16(const double *source, void *target, size_t count);
void laser_round_f32(const double *source, void *target, size_t count);
void laser_narrow_bf16(const float *source, uint16_t *target, size_t count);

// MARK: dot.c
float laser_dot(const float *a, const float *b, size_t count);

// MARK: column_dots.c — sums[c] += the sum over rows of a[r][c] * b[r][c], in float64, row after row.
void laser_add_column_dots(const float *a, size_t a_stride, const float *b, size_t b_stride, size_t rows,
                           size_t columns, double *sums);

// MARK: blocks.c, blocks_k.c, blocks_iq.c, blocks_iq4.c, blocks_fp4.c, blocks_low.c — ggml's formats in which a block of 32
// to 256 numbers shares its scale. `count` is a multiple of the block. Expanding returns false if a number is not finite.
bool laser_expand_q8_0(const void *source, float *target, size_t count);
bool laser_expand_q4_0(const void *source, float *target, size_t count);
bool laser_expand_q4_1(const void *source, float *target, size_t count);
bool laser_expand_q5_0(const void *source, float *target, size_t count);
bool laser_expand_q5_1(const void *source, float *target, size_t count);
bool laser_expand_q2_k(const void *source, float *target, size_t count);
bool laser_expand_q3_k(const void *source, float *target, size_t count);
bool laser_expand_q4_k(const void *source, float *target, size_t count);
bool laser_expand_q5_k(const void *source, float *target, size_t count);
bool laser_expand_q6_k(const void *source, float *target, size_t count);
bool laser_expand_iq4_nl(const void *source, float *target, size_t count);
bool laser_expand_iq4_xs(const void *source, float *target, size_t count);
bool laser_expand_mxfp4(const void *source, float *target, size_t count);
bool laser_expand_nvfp4(const void *source, float *target, size_t count);
bool laser_expand_iq1_s(const void *source, float *target, size_t count);
bool laser_expand_iq1_m(const void *source, float *target, size_t count);
bool laser_expand_iq2_xxs(const void *source, float *target, size_t count);
bool laser_expand_iq2_xs(const void *source, float *target, size_t count);
bool laser_expand_iq2_s(const void *source, float *target, size_t count);
bool laser_expand_iq3_xxs(const void *source, float *target, size_t count);
bool laser_expand_iq3_s(const void *source, float *target, size_t count);
bool laser_expand_tq1_0(const void *source, float *target, size_t count);
bool laser_expand_tq2_0(const void *source, float *target, size_t count);
bool laser_expand_q1_0(const void *source, float *target, size_t count);
bool laser_expand_q2_0(const void *source, float *target, size_t count);
// Quantising numbers that are not finite gives a block that is refused when it is expanded. `importance`, NULL where it is
// not known, says of each number how much its error counts; `count` is then a row.
void laser_quantize_q8_0(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q4_0(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q4_1(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q5_0(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q5_1(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q2_k(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q3_k(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q4_k(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q5_k(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_q6_k(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_iq4_nl(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_iq4_xs(const float *source, const float *importance, void *target, size_t count);
void laser_quantize_mxfp4(const float *source, const float *importance, void *target, size_t count);

// MARK: scaled.c — numbers of few bits, to bfloat16.
// E4M3 floats times their scales: number i has scale i / block. The product is made in float32.
void laser_decode_e4m3(const uint8_t *source, const float *scales, size_t block, uint16_t *target, size_t count);
// MXFP4: blocks of 32 numbers in 16 bytes, a number of even place in the lower half of its byte, with a power of two each,
// 2^(scale - 127). A multiple of 32 numbers.
void laser_decode_mxfp4(const uint8_t *blocks, const uint8_t *scales, uint16_t *target, size_t count);

// MARK: strided.c — copies numbers of `size` bytes between matrices whose rows and columns have any distance, in numbers.
void laser_copy_strided(const void *source, size_t source_row, size_t source_column, void *target, size_t target_row,
                        size_t target_column, size_t rows, size_t columns, size_t size);

// MARK: rms_norm.c — target = weight * source / sqrt(mean(source²) + epsilon), row by row.
void laser_rms_norm(const float *source, size_t source_stride, const float *weight, float epsilon,
                    float *target, size_t target_stride, size_t rows, size_t columns);
// result += the gradient with respect to source, `gradient` being that with respect to target; no memory is shared.
void laser_rms_norm_gradient(const float *source, size_t source_stride, const float *weight, float epsilon,
                             const float *gradient, size_t gradient_stride, float *result, size_t result_stride,
                             size_t rows, size_t columns);

// MARK: swiglu.c — gate = silu(gate) * up, silu(x) = x / (1 + exp(-x)).
void laser_swiglu(float *gate, size_t gate_stride, const float *up, size_t up_stride, size_t rows, size_t columns);
// gate and up become the gradients with respect to them, `gradient` being that with respect to silu(gate) * up.
void laser_swiglu_gradient(float *gate, size_t gate_stride, float *up, size_t up_stride, const float *gradient,
                           size_t gradient_stride, size_t rows, size_t columns);

// The same with gate cut above limit, up to [-limit, limit]: gate = gate / (1 + exp(-slope * gate)) * (up + 1).
void laser_clamped_swiglu(float *gate, size_t gate_stride, const float *up, size_t up_stride, size_t rows,
                          size_t columns, float slope, float limit);
void laser_clamped_swiglu_gradient(float *gate, size_t gate_stride, float *up, size_t up_stride, const float *gradient,
                                   size_t gradient_stride, size_t rows, size_t columns, float slope, float limit);

// MARK: geglu.c — gate = gelu(gate) * up, gelu(x) = x / (1 + exp(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3): its
// approximation by tanh.
void laser_geglu(float *gate, size_t gate_stride, const float *up, size_t up_stride, size_t rows, size_t columns);
// As laser_swiglu_gradient.
void laser_geglu_gradient(float *gate, size_t gate_stride, float *up, size_t up_stride, const float *gradient,
                          size_t gradient_stride, size_t rows, size_t columns);

// MARK: sigmoid_gate.c — values *= 1 / (1 + exp(-gates)).
void laser_sigmoid_gate(float *values, size_t stride, const float *gates, size_t gate_stride, size_t rows,
                        size_t columns);
// gradient, with respect to the result, becomes that with respect to values, and gates those with respect to them.
void laser_sigmoid_gate_gradient(float *gradient, size_t gradient_stride, const float *values, size_t stride,
                                 float *gates, size_t gate_stride, size_t rows, size_t columns);

// MARK: rotary.c — rotates the pairs (x[i], x[i + dimension/2]) of every head by the row's angles, or back.
// cosines and sines: (rows, dimension/2).
void laser_rotate(float *heads, size_t stride, size_t rows, size_t head_count, size_t dimension,
                  const float *cosines, const float *sines, bool inverse);
// Interleaved: as laser_rotate, for the pairs (x[2i], x[2i + 1]).
void laser_rotate_interleaved(float *heads, size_t stride, size_t rows, size_t head_count, size_t dimension,
                              const float *cosines, const float *sines, bool inverse);

// MARK: softmax.c
// Row r of scores becomes softmax(scale * scores) over the keys [first, last) that its query may see, the rest 0:
// last = start + r + 1 where `start` is the position of row 0's query among the keys, first = max(0, last - window). The
// sink is one more score, already scaled, whose weight goes nowhere; -infinity for none.
void laser_causal_softmax(float *scores, size_t stride, size_t rows, size_t columns, size_t start,
                          size_t window, float scale, float sink);
// scores = cap * tanh(scale * scores / cap).
void laser_soft_cap(float *scores, size_t stride, size_t rows, size_t columns, float scale, float cap);
// gradient, which is that with respect to what laser_soft_cap makes of the scores, becomes that with respect to them.
void laser_soft_cap_gradient(const float *scores, size_t stride, float *gradient, size_t gradient_stride, size_t rows,
                             size_t columns, float scale, float cap);
// Running log-sum-exp of each row over blocks of columns: maximum and sum are updated, sum relative to maximum.
void laser_accumulate_exponentials(const float *logits, size_t stride, size_t rows, size_t columns,
                                   float *maximum, double *sum);
// gradient becomes scale * weights * (gradient - sum of the row's weights * gradient): that with respect to scores
// whose softmax(scale * scores) are the weights.
void laser_softmax_gradient(const float *weights, size_t weights_stride, float *gradient, size_t gradient_stride,
                            size_t rows, size_t columns, float scale);
// Row r of logits becomes exp(logits - log_sums[r]).
void laser_exponentials(float *logits, size_t stride, size_t rows, size_t columns, const double *log_sums);

// MARK: convolution.c — each channel by itself, over rows: weights (width, channels).
// target row r = the sum over w of weights row w * source row r + w: source has width - 1 rows more, which come before.
void laser_causal_convolution(const float *source, size_t source_stride, const float *weights, size_t width, size_t rows,
                              size_t channels, float *target, size_t target_stride);
// result row r + w += weights row w * gradient row r.
void laser_causal_convolution_gradient(const float *gradient, size_t gradient_stride, const float *weights, size_t width,
                                       size_t rows, size_t channels, float *result, size_t result_stride);

// MARK: delta_rule.c — the gated delta rule (arXiv 2412.06464) of one head, row after row: state = decay * state,
// correction = rate * (value - key * state), state += key x correction, output = query * state. Queries and keys are
// (rows, keys), values and outputs (rows, values), the state (keys, values).
struct laser_delta_inputs {
  const float *queries, *keys, *values, *decays, *rates;
  size_t query_stride, key_stride, value_stride;
};
struct laser_delta_gradients {
  float *queries, *keys, *values, *decays, *rates;
  size_t query_stride, key_stride, value_stride;
};
// states holds the state before row 0. With a stride of 0 it becomes the state after the last row, and corrections has
// room for one; else the state after row r is put r + 1 strides behind, and corrections has room for all.
void laser_delta_rule(const struct laser_delta_inputs *inputs, size_t rows, size_t key_count, size_t value_count,
                      float *states, size_t state_stride, float *corrections, float *outputs, size_t output_stride);
// states and corrections are what laser_delta_rule leaves with a stride of one state. state_gradient is that with
// respect to the last state and becomes that with respect to the first; gradients are overwritten. scratch has room for
// a value.
void laser_delta_rule_gradient(const struct laser_delta_inputs *inputs, size_t rows, size_t key_count,
                               size_t value_count, const float *states, const float *corrections,
                               const float *output_gradients, size_t output_stride, float *state_gradient,
                               const struct laser_delta_gradients *gradients, float *scratch);

// MARK: divergence.c
// Compares rows of logits of two models: KL(softmax(a) || softmax(b)) in nats, and whether the largest logit is the
// same one.
void laser_divergence(const float *a, const float *b, size_t rows, size_t columns, double *divergence, bool *same_top);

// MARK: processor.c
// Whether the processor and the operating system offer the instructions of x86-64-v4.
bool laser_processor_has_avx512(void);
// Whether they offer products of bfloat16 too.
bool laser_processor_has_avx512_bf16(void);
// Whether the processor runs AVX2 and fused multiplication and addition.
bool laser_processor_has_avx2(void);

// MARK: synthetic.c — weights for measuring machines.

// target = noise + sum over k of left[k] * right[k], a row of rank products; in bfloat16. The noise at a position is
// the same on every machine. right is (rank, columns).
void laser_synthetic_row(uint64_t position, float deviation, const float *left, const float *right, size_t rank,
                         size_t columns, uint16_t *target);

// MARK: memory.c
void laser_keep_freed_memory(void);

// MARK: pack.c — the layout in which a matrix enters products.
// A panel holds LASER_PANEL rows of a matrix, the first number of each, then the second of each, and so on; rows that
// the matrix does not have are zero. A unit is 32 bits: one float32, or two consecutive bfloat16 of a row.
enum { LASER_PANEL = 32 };
// Rows that the largest tile of a product has; blocks of whole tiles waste nothing.
enum { LASER_TILE_ROWS = 12 };
// stride and depth in units, count of rows at most LASER_PANEL.
void laser_pack_panel(const void *rows, size_t stride, size_t count, size_t depth, void *panel);
// Packs the transposed matrix: panels of LASER_PANEL columns, (columns / LASER_PANEL, rows, LASER_PANEL).
void laser_pack_columns(const void *matrix, size_t stride, size_t rows, size_t columns, void *panels);
// target (columns, rows) = sourceᵀ.
void laser_transpose(const float *source, size_t stride, size_t rows, size_t columns, float *target,
                     size_t target_stride);

// MARK: product.c
// c = a · bᵀ, or c += a · bᵀ; a (rows, depth) in float32, b (columns, depth) in panels, c (rows, columns).
// panel_stride is the distance between two panels in numbers; scratch has laser_product_scratch_bytes(rows, depth)
// bytes.
void laser_product_f32(const float *a, size_t a_stride, size_t rows, const float *panels, size_t panel_stride,
                       size_t depth, float *c, size_t c_stride, size_t columns, bool adding, void *scratch);
// As laser_product, with a rounded to bfloat16, pairs of products added in float32; needs
// laser_processor_has_avx512_bf16.
void laser_product_bf16(const float *a, size_t a_stride, size_t rows, const uint16_t *panels, size_t panel_stride,
                        size_t depth, float *c, size_t c_stride, size_t columns, bool adding, void *scratch);
size_t laser_product_scratch_bytes(size_t rows, size_t depth);
// Multiplications and additions that the products of this thread have done.
double laser_operations(void);

// MARK: gather.c
// target row i = source row indices[i].
void laser_gather_rows(const float *source, size_t stride, const int32_t *indices, size_t count, size_t columns,
                       float *target);
// target row indices[i] = weights[i] * source row i.
void laser_scatter_weighted_rows(const float *source, const int32_t *indices, const float *weights, size_t count,
                                 size_t columns, float *target);
// target row indices[i] += weights[i] * source row i, the product rounded before it is added.
void laser_add_weighted_rows(const float *source, const int32_t *indices, const float *weights, size_t count,
                             size_t columns, float *target);
// Adds one row to every row of target.
void laser_add_row(const float *row, float *target, size_t stride, size_t rows, size_t columns);
// target row i += the sum of source rows i * group to (i + 1) * group - 1, summed in that order.
void laser_add_grouped_rows(const float *source, size_t group, size_t rows, size_t columns, float *target,
                            size_t stride);
