// Parts of a softmax over rows of float32, and of the bound that Gemma 2 puts on logits.
#pragma once

#include <limits>

#include "Vector.h"

namespace {

// The largest of n values.
MENO_VECTOR_CLONES float top_of(const float *row, int64_t n) {
    float lanes[kLanes];
    for (auto &lane : lanes) lane = -std::numeric_limits<float>::infinity();
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) lanes[l] = lanes[l] > row[i + l] ? lanes[l] : row[i + l];
    float top = lanes[0];
    for (int64_t l = 1; l < kLanes; ++l) top = top > lanes[l] ? top : lanes[l];
    for (; i < n; ++i) top = top > row[i] ? top : row[i];
    return top;
}

// row ← cap · tanh(row / cap).
MENO_VECTOR_CLONES void cap_row(float *row, int64_t n, float cap) {
    float inverse = 1.0f / cap;
    for (int64_t i = 0; i < n; ++i) row[i] = capped_logit<true>(row[i], cap, inverse);
}

MENO_VECTOR_CLONES void scale_row(float *row, int64_t n, float factor) {
    for (int64_t i = 0; i < n; ++i) row[i] *= factor;
}

struct Exponents {
    double sum;   // Σ exp(z − reference)
    double mass;  // Σ exp(z − reference) · dz/dx
};

// exp(z − reference) · dz/dx, where x became z by a cap; adds it and the exponent itself to their sums.
template <bool capped>
MENO_INLINE float exponent(float z, float reference, float inverse_cap, float &sum, float &mass) {
    float e = vector_exp(z - reference);
    sum += e;
    if constexpr (!capped) return e;
    float share = z * inverse_cap;
    float weighted = e * (1.0f - share * share);
    mass += weighted;
    return weighted;
}

// row ← exp(z − reference) · dz/dx.
template <bool capped>
MENO_INLINE Exponents exponents(float *row, int64_t n, float reference, float inverse_cap) {
    float sums[kLanes] = {}, masses[kLanes] = {};
    double sum = 0, mass = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l)
            row[i + l] = exponent<capped>(row[i + l], reference, inverse_cap, sums[l], masses[l]);
    for (; i < n; ++i) row[i] = exponent<capped>(row[i], reference, inverse_cap, sums[0], masses[0]);
    for (float lane : sums) sum += lane;
    for (float lane : masses) mass += lane;
    return {sum, capped ? mass : sum};
}

MENO_VECTOR_CLONES Exponents plain_exponents(float *row, int64_t n, float reference) {
    return exponents<false>(row, n, reference, 0);
}
MENO_VECTOR_CLONES Exponents capped_exponents(float *row, int64_t n, float reference, float inverse_cap) {
    return exponents<true>(row, n, reference, inverse_cap);
}

}  // namespace
