#include "CKernels.h"
#include "dispatch.h"
#include <string.h>

// The state decays, what it says of the key is corrected towards the value, and the query reads what it has become.
static inline void step(const float *restrict query, const float *restrict key, const float *restrict value, float decay,
                        float rate, float *restrict state, float *restrict correction, float *restrict output,
                        size_t key_count, size_t value_count) {
  for (size_t v = 0; v < value_count; v++) correction[v] = output[v] = 0;
  for (size_t k = 0; k < key_count; k++) {
    float *restrict row = state + k * value_count;
    const float weight = key[k];
    for (size_t v = 0; v < value_count; v++) {
      row[v] *= decay;
      correction[v] += weight * row[v];
    }
  }
  for (size_t v = 0; v < value_count; v++) correction[v] = rate * (value[v] - correction[v]);
  for (size_t k = 0; k < key_count; k++) {
    float *restrict row = state + k * value_count;
    const float weight = key[k], reading = query[k];
    for (size_t v = 0; v < value_count; v++) {
      row[v] += weight * correction[v];
      output[v] += reading * row[v];
    }
  }
}

DISPATCHED void laser_delta_rule(const struct laser_delta_inputs *inputs, size_t rows, size_t key_count,
                                 size_t value_count, float *states, size_t state_stride, float *corrections,
                                 float *outputs, size_t output_stride) {
  const struct laser_delta_inputs in = *inputs;
  for (size_t r = 0; r < rows; r++) {
    float *state = states + (r + 1) * state_stride;
    if (state_stride) memcpy(state, states + r * state_stride, key_count * value_count * sizeof(float));
    step(in.queries + r * in.query_stride, in.keys + r * in.key_stride, in.values + r * in.value_stride, in.decays[r],
         in.rates[r], state, corrections + (state_stride ? r * value_count : 0), outputs + r * output_stride, key_count,
         value_count);
  }
}

// Everything of one step, backwards: `gradient` is that with respect to the state after it and becomes that with
// respect to the state before.
static inline void step_gradient(const float *restrict query, const float *restrict key, const float *restrict value,
                                 float decay, float rate, const float *restrict before, const float *restrict after,
                                 const float *restrict correction, const float *restrict output_gradient,
                                 float *restrict gradient, float *restrict query_gradient, float *restrict key_gradient,
                                 float *restrict value_gradient, float *restrict decay_gradient,
                                 float *restrict rate_gradient, float *restrict prediction, size_t key_count,
                                 size_t value_count) {
  REASSOCIATE
  // The value's gradient is first that of the correction.
  float *restrict at_correction = value_gradient;
  for (size_t v = 0; v < value_count; v++) at_correction[v] = prediction[v] = 0;
  for (size_t k = 0; k < key_count; k++) {
    float *restrict row = gradient + k * value_count;
    const float *restrict state = after + k * value_count;
    const float weight = key[k], reading = query[k];
    float at_query = 0, at_key = 0;
    for (size_t v = 0; v < value_count; v++) {
      row[v] += reading * output_gradient[v];
      at_query += state[v] * output_gradient[v];
      at_key += row[v] * correction[v];
      at_correction[v] += weight * row[v];
    }
    query_gradient[k] = at_query;
    key_gradient[k] = at_key;
  }
  float at_decay = 0;
  for (size_t k = 0; k < key_count; k++) {
    float *restrict row = gradient + k * value_count;
    const float *restrict state = before + k * value_count;
    const float weight = key[k];
    float at_key = 0;
    for (size_t v = 0; v < value_count; v++) {
      const float decayed = decay * state[v], back = -rate * at_correction[v];
      prediction[v] += weight * decayed;
      at_key += decayed * back;
      row[v] += weight * back;
      at_decay += row[v] * state[v];
      row[v] *= decay;
    }
    key_gradient[k] += at_key;
  }
  float at_rate = 0;
  for (size_t v = 0; v < value_count; v++) {
    at_rate += at_correction[v] * (value[v] - prediction[v]);
    value_gradient[v] = rate * at_correction[v];
  }
  *decay_gradient = at_decay;
  *rate_gradient = at_rate;
}

DISPATCHED void laser_delta_rule_gradient(const struct laser_delta_inputs *inputs, size_t rows, size_t key_count,
                                          size_t value_count, const float *states, const float *corrections,
                                          const float *output_gradients, size_t output_stride, float *state_gradient,
                                          const struct laser_delta_gradients *gradients, float *scratch) {
  const struct laser_delta_inputs in = *inputs;
  const struct laser_delta_gradients out = *gradients;
  const size_t size = key_count * value_count;
  for (size_t r = rows; r-- > 0;)
    step_gradient(in.queries + r * in.query_stride, in.keys + r * in.key_stride, in.values + r * in.value_stride,
                  in.decays[r], in.rates[r], states + r * size, states + (r + 1) * size, corrections + r * value_count,
                  output_gradients + r * output_stride, state_gradient, out.queries + r * out.query_stride,
                  out.keys + r * out.key_stride, out.values + r * out.value_stride, out.decays + r, out.rates + r,
                  scratch, key_count, value_count);
}
