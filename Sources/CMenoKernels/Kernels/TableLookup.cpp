#include "TableLookup.h"

#include <ATen/Version.h>

#include "Vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MENO_AVX2 __attribute__((target("avx2")))
#define MENO_AVX512 __attribute__((target("avx512f")))
#endif

namespace meno::packing {

namespace {

template <bool paired>
void look_up_plainly(
    const float *table, const uint8_t *codes, int64_t stride, const float *factors, int64_t units, float *values) {
    for (int64_t u = 0; u < units; ++u, codes += stride, values += 32)
        for (int64_t i = 0; i < 16; ++i) {
            values[paired ? 2 * i : 16 + i] = table[codes[i] >> 4] * factors[u];
            values[paired ? 2 * i + 1 : i] = table[codes[i] & 0x0F] * factors[u];
        }
}

#if defined(__x86_64__)

// The codes of a unit, a byte each, in the order of its values.
struct Codes {
    __m128i first, second;
};

template <bool paired>
MENO_INLINE Codes codes_of(const uint8_t *bytes) {
    const __m128i mask = _mm_set1_epi8(0x0F);
    __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes));
    __m128i low = _mm_and_si128(both, mask), high = _mm_and_si128(_mm_srli_epi16(both, 4), mask);
    if constexpr (!paired) return {low, high};
    return {_mm_unpacklo_epi8(high, low), _mm_unpackhi_epi8(high, low)};
}

template <bool paired>
MENO_AVX2 void look_up_avx2(
    const float *table, const uint8_t *codes, int64_t stride, const float *factors, int64_t units, float *values) {
    __m256 low = _mm256_loadu_ps(table), high = _mm256_loadu_ps(table + 8);
    for (int64_t u = 0; u < units; ++u, codes += stride, values += 32) {
        Codes unit = codes_of<paired>(codes);
        __m256 factor = _mm256_set1_ps(factors[u]);
        const __m128i parts[] = {unit.first, _mm_srli_si128(unit.first, 8), unit.second, _mm_srli_si128(unit.second, 8)};
        for (int i = 0; i < 4; ++i) {
            __m256i index = _mm256_cvtepu8_epi32(parts[i]);
            // The fourth bit, as a sign, chooses between the halves of the table.
            __m256 chosen = _mm256_blendv_ps(
                _mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index),
                _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
            _mm256_storeu_ps(values + 8 * i, _mm256_mul_ps(chosen, factor));
        }
    }
}

template <bool paired>
MENO_AVX512 void look_up_avx512(
    const float *table, const uint8_t *codes, int64_t stride, const float *factors, int64_t units, float *values) {
    __m512 all = _mm512_loadu_ps(table);
    for (int64_t u = 0; u < units; ++u, codes += stride, values += 32) {
        Codes unit = codes_of<paired>(codes);
        __m512 factor = _mm512_set1_ps(factors[u]);
        _mm512_storeu_ps(values, _mm512_mul_ps(_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(unit.first), all), factor));
        _mm512_storeu_ps(values + 16, _mm512_mul_ps(_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(unit.second), all), factor));
    }
}

#endif

template <bool paired>
auto chosen() {
#if defined(__x86_64__)
    if (has_avx512()) return look_up_avx512<paired>;
    if (at::get_cpu_capability() == "AVX2") return look_up_avx2<paired>;
#endif
    return look_up_plainly<paired>;
}

}  // namespace

void look_up_pairs(
    const float *table, const uint8_t *codes, int64_t stride, const float *factors, int64_t units, float *values) {
    static const auto look_up = chosen<true>();
    look_up(table, codes, stride, factors, units, values);
}

void look_up_halves(
    const float *table, const uint8_t *codes, int64_t stride, const float *factors, int64_t units, float *values) {
    static const auto look_up = chosen<false>();
    look_up(table, codes, stride, factors, units, values);
}

}  // namespace meno::packing
