// Dropout whose mask is computed where it is needed, forward and backward, and never stored: whether an element is kept
// follows from a key, drawn once for each use of a layer, and the element's place.
#pragma once

#include <cmath>
#include <cstdint>

#include "Formulas.h"
#include "Vector.h"

namespace meno {

struct Dropout {
    double probability = 0;
    uint64_t key = 0;

    bool drops() const { return probability > 0; }
    // An element is dropped where its random 32 bits are below this.
    uint32_t limit() const { return static_cast<uint32_t>(std::lround(std::min(probability, 1.0) * 4294967295.0)); }
    float scale() const { return probability < 1 ? static_cast<float>(1 / (1 - probability)) : 0.0f; }
};

}  // namespace meno

namespace {

// to[i] (+)= from[i] · mask[i] for columns first..<first + n of the row with that key.
template <class Source, bool adds>
MENO_INLINE void masked_row(
    const typename Source::Storage *from, int64_t n, int64_t first, uint64_t key, uint32_t limit, float scale, float *to) {
    for (int64_t i = 0; i < n; ++i) {
        bool kept = random_bits(key, static_cast<uint32_t>(first + i)) >= limit;
        float value = kept ? Source::load(from[i]) * scale : 0.0f;
        to[i] = adds ? to[i] + value : value;
    }
}

}  // namespace
