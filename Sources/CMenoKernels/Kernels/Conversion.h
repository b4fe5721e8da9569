// Rows of one element type as rows of another, times a factor.
#pragma once

#include "Vector.h"

namespace {

template <class From, class To>
MENO_INLINE void convert_elements(
    const typename From::Storage *from, int64_t n, typename To::Storage *to, float factor) {
    for (int64_t i = 0; i < n; ++i) to[i] = To::store(factor * From::load(from[i]));
}

MENO_VECTOR_CLONES void convert(const float *from, int64_t n, float *to, float factor = 1) {
    convert_elements<Float32, Float32>(from, n, to, factor);
}
MENO_VECTOR_CLONES void convert(const float *from, int64_t n, uint16_t *to, float factor = 1) {
    convert_elements<Float32, BFloat16>(from, n, to, factor);
}
MENO_VECTOR_CLONES void convert(const uint16_t *from, int64_t n, float *to, float factor = 1) {
    convert_elements<BFloat16, Float32>(from, n, to, factor);
}

}  // namespace
