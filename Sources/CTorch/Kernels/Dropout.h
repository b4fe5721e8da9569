// Dropout whose mask is computed where it is needed, forward and backward, and never stored: whether an element is kept
// follows from a key, drawn once for each use of a layer, and the element's place.
#pragma once

#include <cmath>
#include <cstdint>

#include "Vector.h"

namespace meno {

struct Dropout {
    double probability = 0;
    uint64_t key = 0;

    bool drops() const { return probability > 0; }
    // An element is dropped where its random 32 bits are below this.
    uint32_t limit() const { return static_cast<uint32_t>(std::lround(std::min(probability, 1.0) * 4294967295.0)); }
    float scale() const { return probability < 1 ? static_cast<float>(1 / (1 - probability)) : 0.0f; }

    // The keys of a row: 64 random bits (the finalizer of SplitMix64; Steele et al., 2014).
    uint64_t row_key(int64_t row) const {
        uint64_t z = key + static_cast<uint64_t>(row + 1) * 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
};

}  // namespace meno

namespace {

// 32 random bits of a column in a row with that key (the mixer of MurmurHash3, Appleby, between the two halves).
MENO_INLINE uint32_t random_bits(uint64_t row_key, uint32_t column) {
    uint32_t h = column ^ static_cast<uint32_t>(row_key);
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h += static_cast<uint32_t>(row_key >> 32);
    h *= 0xC2B2AE35u;
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    return h;
}

// to[i] (+)= from[i] · mask[i] for columns first..<first + n of a row.
template <class Source, bool adds>
MENO_INLINE void masked_row(
    const typename Source::Storage *from, int64_t n, int64_t first, uint64_t row_key, uint32_t limit, float scale, float *to) {
    for (int64_t i = 0; i < n; ++i) {
        bool kept = random_bits(row_key, static_cast<uint32_t>(first + i)) >= limit;
        float value = kept ? Source::load(from[i]) * scale : 0.0f;
        to[i] = adds ? to[i] + value : value;
    }
}

}  // namespace
