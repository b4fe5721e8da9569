#include "Transpose.h"

#include <ATen/Version.h>

#include <cstring>

#include "Vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MENO_AVX2 __attribute__((target("avx2")))
#define MENO_AVX512 __attribute__((target("avx512f")))
#endif

namespace meno {

namespace {

// The halves of a pair of bfloat16 as float32: the first by a shift, the second by leaving the first out.
constexpr uint32_t kSecond = 0xFFFF0000;

template <bool widened>
void transpose_plainly(const char *from, int64_t from_bytes, char *to, int64_t to_bytes) {
    for (int64_t i = 0; i < kTransposed; ++i)
        for (int64_t j = 0; j < kTransposed; ++j) {
            uint32_t unit;
            std::memcpy(&unit, from + i * from_bytes + j * 4, 4);
            uint32_t parts[] = {widened ? unit << 16 : unit, unit & kSecond};
            for (int64_t part = 0, count = widened ? 2 : 1; part < count; ++part)
                std::memcpy(to + (count * j + part) * to_bytes + i * 4, parts + part, 4);
        }
}

#if defined(__x86_64__)

// Both interleave ever larger units: single ones, pairs, then parts of the registers.

template <bool widened>
MENO_AVX2 void transpose_avx2(const char *from, int64_t from_bytes, char *to, int64_t to_bytes) {
    const __m256i second = _mm256_set1_epi32(static_cast<int>(kSecond));
    constexpr int64_t step = widened ? 2 : 1;
    for (int64_t part = 0; part < 4; ++part) {
        const char *source = from + part / 2 * 8 * from_bytes + part % 2 * 32;
        char *target = to + part % 2 * 8 * step * to_bytes + part / 2 * 32;
        __m256i r[8], t[8];
        for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(source + i * from_bytes));
        for (int i = 0; i < 8; i += 2) {
            t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
            t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
        }
        for (int i = 0; i < 8; i += 4) {
            r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
            r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
            r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
            r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
        }
        for (int i = 0; i < 4; ++i) {
            t[i] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x20);
            t[i + 4] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x31);
        }
        for (int i = 0; i < 8; ++i, target += step * to_bytes) {
            __m256i unit = widened ? _mm256_slli_epi32(t[i], 16) : t[i];
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(target), unit);
            if (widened)
                _mm256_storeu_si256(reinterpret_cast<__m256i *>(target + to_bytes), _mm256_and_si256(t[i], second));
        }
    }
}

template <bool widened>
MENO_AVX512 void transpose_avx512(const char *from, int64_t from_bytes, char *to, int64_t to_bytes) {
    __m512i r[16], t[16];
    for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(from + i * from_bytes);
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {  // r[i + k]: columns k, k + 4, k + 8, k + 12 of rows i..<i + 4
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int k = 0; k < 4; ++k) {
        __m512i low = _mm512_shuffle_i32x4(r[k], r[4 + k], 0x88), high = _mm512_shuffle_i32x4(r[k], r[4 + k], 0xDD);
        __m512i low2 = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0x88);
        __m512i high2 = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0xDD);
        t[k] = _mm512_shuffle_i32x4(low, low2, 0x88);
        t[8 + k] = _mm512_shuffle_i32x4(low, low2, 0xDD);
        t[4 + k] = _mm512_shuffle_i32x4(high, high2, 0x88);
        t[12 + k] = _mm512_shuffle_i32x4(high, high2, 0xDD);
    }
    const __m512i second = _mm512_set1_epi32(static_cast<int>(kSecond));
    for (int i = 0; i < 16; ++i, to += (widened ? 2 : 1) * to_bytes) {
        _mm512_storeu_si512(to, widened ? _mm512_slli_epi32(t[i], 16) : t[i]);
        if (widened) _mm512_storeu_si512(to + to_bytes, _mm512_and_si512(t[i], second));
    }
}

#endif

using Transposition = decltype(&transpose_plainly<false>);

template <bool widened>
Transposition transposition() {
#if defined(__x86_64__)
    if (has_avx512()) return transpose_avx512<widened>;
    if (at::get_cpu_capability() == "AVX2") return transpose_avx2<widened>;
#endif
    return transpose_plainly<widened>;
}

}  // namespace

void transpose(const void *from, int64_t from_bytes, void *to, int64_t to_bytes) {
    static const Transposition chosen = transposition<false>();
    chosen(static_cast<const char *>(from), from_bytes, static_cast<char *>(to), to_bytes);
}

void transpose_widened(const uint16_t *from, int64_t from_bytes, float *to, int64_t to_bytes) {
    static const Transposition chosen = transposition<true>();
    chosen(reinterpret_cast<const char *>(from), from_bytes, reinterpret_cast<char *>(to), to_bytes);
}

}  // namespace meno
