// What the kernels share: element types, exp at vector speed, and code for several instruction sets.
//
// Kernels are plain loops over fixed-width lanes: the compiler turns them into vector code for each instruction set named
// below, and the loader picks one. Where a loop is not enough (matrix products), there are intrinsics.
#pragma once

#include <ATen/Version.h>

#include <bit>
#include <cmath>
#include <cstdint>

#if defined(__x86_64__) && defined(__linux__)
#define MENO_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MENO_VECTOR_CLONES
#endif
#define MENO_INLINE static inline __attribute__((always_inline))

namespace {

constexpr int64_t kLanes = 16;

// Whether intrinsics may be AVX-512: by the processor and by ATEN_CPU_CAPABILITY, as for libtorch's own kernels.
MENO_INLINE bool has_avx512() {
    static const bool result = at::get_cpu_capability().starts_with("AVX512");
    return result;
}

struct Float32 {
    using Storage = float;
    MENO_INLINE float load(float x) { return x; }
    MENO_INLINE float store(float x) { return x; }
};

struct BFloat16 {
    using Storage = uint16_t;
    MENO_INLINE float load(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }
    MENO_INLINE uint16_t store(float x) {  // to nearest, ties to even; a NaN stays one
        uint32_t bits = std::bit_cast<uint32_t>(x);
        uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
        return static_cast<uint16_t>(x != x ? 0x7FC0u : rounded);
    }
};

// Σ term(i) for i of 0..<n, in lanes that the compiler can turn into a vector: their order is the same on every processor.
template <int64_t width = kLanes, class Term>
MENO_INLINE float lane_sum(int64_t n, const Term &term) {
    float lanes[width] = {};
    int64_t i = 0;
    for (; i + width <= n; i += width)
        for (int64_t l = 0; l < width; ++l) lanes[l] += term(i + l);
    float total = 0;
    for (float lane : lanes) total += lane;
    for (; i < n; ++i) total += term(i);
    return total;
}

// The sum of a power of two of values, in pairs.
template <int64_t count>
MENO_INLINE float pairwise_sum(float *values) {
    for (int64_t half = count / 2; half > 0; half /= 2)
        for (int64_t i = 0; i < half; ++i) values[i] += values[half + i];
    return values[0];
}

// exp within 2 units in the last place on [-87, 88], 0 below, exp(88) above. Cephes' reduction; the polynomial of degree 6
// has the least relative error on its interval, ±ln 2 / 2 (2e-9).
MENO_INLINE float vector_exp(float x) {
    bool vanishes = x < -87.0f;
    x = x > 88.0f ? 88.0f : x;
    constexpr float shift = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer, which the lowest bits then are
    float shifted = x * 1.44269504088896341f + shift, n = shifted - shift;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.3843607e-3f;
    p = p * r + 8.3741955e-3f;
    p = p * r + 4.1668005e-2f;
    p = p * r + 1.6666430e-1f;
    p = p * r + 4.9999994e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t exponent = std::bit_cast<uint32_t>(shifted) << 23;  // p · 2^n, whose exponent stays one of a normal number
    return std::bit_cast<float>(vanishes ? 0u : std::bit_cast<uint32_t>(p) + exponent);
}

// cap · tanh(x / cap), Gemma 2's bound on logits.
template <bool capped>
MENO_INLINE float capped_logit(float x, float cap, float inverse_cap) {
    if constexpr (!capped) return x;
    float t = vector_exp(2.0f * x * inverse_cap);
    return cap * (1.0f - 2.0f / (t + 1.0f));
}

}  // namespace
