#include "NibbleDots.h"

#include <ATen/Version.h>

#include <cstring>

#include "GGUFBlocks.h"
#include "Vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MENO_AVX512 __attribute__((target("avx512f,f16c")))
#define MENO_AVX512_INLINE static inline __attribute__((always_inline, target("avx512f,f16c")))
#endif

// Values are rounded as they are where they are decoded: first the product, then the sum.
#pragma STDC FP_CONTRACT OFF

namespace meno::packing {

namespace {

#if defined(__x86_64__)

// The numbers of the codes, 0 to 15.
MENO_AVX512_INLINE __m512 numbers() {
    return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

// Two numbers in half precision, as float32 in the first two places.
MENO_AVX512_INLINE __m128 two_halves(const uint8_t *bytes) {
    int32_t bits;
    std::memcpy(&bits, bytes, sizeof bits);
    return _mm_cvtph_ps(_mm_cvtsi32_si128(bits));
}

MENO_AVX512_INLINE __m512 every(__m128 x) { return _mm512_broadcastss_ps(x); }

// The codes of 16 bytes: a lookup reads the low half of each.
MENO_AVX512_INLINE __m512i codes(const uint8_t *bytes) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes)));
}

// Sums whose order does not depend on the format.
struct Sums {
    __m512 parts[4];

    MENO_AVX512_INLINE Sums none() { return {{_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()}}; }
    __attribute__((always_inline, target("avx512f,f16c"))) void add(int part, __m512 table, __m512i codes, const float *x) {
        parts[part] = _mm512_fmadd_ps(_mm512_permutexvar_ps(codes, table), _mm512_loadu_ps(x), parts[part]);
    }
    __attribute__((always_inline, target("avx512f,f16c"))) float total() const {
        return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(parts[0], parts[1]), _mm512_add_ps(parts[2], parts[3])));
    }
};

struct Table4_0 {
    using Block = Q4_0;
    static constexpr int64_t codes = 2;
    MENO_AVX512_INLINE __m512 values(const uint8_t *block) {
        return _mm512_mul_ps(_mm512_sub_ps(numbers(), _mm512_set1_ps(8)), every(two_halves(block)));
    }
};

struct Table4_1 {
    using Block = Q4_1;
    static constexpr int64_t codes = 4;
    MENO_AVX512_INLINE __m512 values(const uint8_t *block) {
        __m128 both = two_halves(block);
        return _mm512_add_ps(_mm512_mul_ps(numbers(), every(both)), every(_mm_movehdup_ps(both)));
    }
};

// Blocks of 32 values, the first 16 in the low halves of 16 bytes.
template <class Table>
MENO_AVX512 float dot_blocks_of_32(const Packed &matrix, int64_t row, const float *x) {
    Sums sums = Sums::none();
    const uint8_t *block = matrix.data + row * matrix.row_bytes;
    int64_t blocks = matrix.columns / 32, i = 0;
    auto add = [&](int part) __attribute__((always_inline, target("avx512f,f16c"))) {
        __m512 table = Table::values(block);
        __m512i bytes = codes(block + Table::codes);
        sums.add(part, table, bytes, x);
        sums.add(part + 1, table, _mm512_srli_epi32(bytes, 4), x + 16);
        block += Table::Block::bytes;
        x += 32;
    };
    for (; i + 2 <= blocks; i += 2) {
        add(0);
        add(2);
    }
    if (i < blocks) add(0);
    return sums.total();
}

// Blocks of 256 values: 32 bytes hold 32 values in their low halves and the next 32 in their high ones.
MENO_AVX512 float dot_Q4_K(const Packed &matrix, int64_t row, const float *x) {
    Sums sums = Sums::none();
    const uint8_t *block = matrix.data + row * matrix.row_bytes;
    for (int64_t blocks = matrix.columns / 256; blocks > 0; --blocks, block += Q4_K::bytes) {
        __m128 both = two_halves(block);
        float d = _mm_cvtss_f32(both), m = _mm_cvtss_f32(_mm_movehdup_ps(both));
        for (int64_t pair = 0; pair < 4; ++pair, x += 64) {
            auto table = [&](int64_t part) __attribute__((always_inline, target("avx512f,f16c"))) {
                ScaleAndMinimum quants = scale_and_minimum(block + 4, part);
                float scale = d * real(quants.scale), minimum = m * real(quants.minimum);
                return _mm512_sub_ps(_mm512_mul_ps(numbers(), _mm512_set1_ps(scale)), _mm512_set1_ps(minimum));
            };
            __m512 low = table(2 * pair), high = table(2 * pair + 1);
            __m512i first = codes(block + 16 + pair * 32), second = codes(block + 32 + pair * 32);
            sums.add(0, low, first, x);
            sums.add(1, low, second, x + 16);
            sums.add(2, high, _mm512_srli_epi32(first, 4), x + 32);
            sums.add(3, high, _mm512_srli_epi32(second, 4), x + 48);
        }
    }
    return sums.total();
}

#endif

}  // namespace

decltype(Packed::dot) nibble_dot(std::string_view format) {
#if defined(__x86_64__)
    if (!has_avx512() || !__builtin_cpu_supports("f16c")) return nullptr;
    if (format == "Q4_0") return dot_blocks_of_32<Table4_0>;
    if (format == "Q4_1") return dot_blocks_of_32<Table4_1>;
    if (format == "Q4_K") return dot_Q4_K;
#endif
    return nullptr;
}

}  // namespace meno::packing
