// Of DotBlock.h, what x86 processors have.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#include "DotBlock.h"
#include "TileProduct.h"

#define MENO_DOT __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

namespace meno::tiles {

bool has_dot_instruction() { return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw"); }

namespace {

// 11 × 32 sums fill 22 of the 32 registers, and two pairs of 16 columns serve them all. A sum runs
// through the depth in order, two values at a time.
template <int rows>
MENO_DOT void dot_rows(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate) {
    const uint16_t *right_panel = panels + kTile * depth;
    __m512 sums[rows][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) {
        sums[i][0] = accumulate ? _mm512_loadu_ps(out + i * out_stride) : _mm512_setzero_ps();
        sums[i][1] = accumulate ? _mm512_loadu_ps(out + i * out_stride + kTile) : _mm512_setzero_ps();
    }
    // Unrolled, the sums would no longer all fit into registers.
#pragma clang loop unroll(disable)
    for (int64_t p = 0; p < depth; p += 2) {
        auto first = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panels + p * kTile));
        auto second = reinterpret_cast<__m512bh>(_mm512_loadu_si512(right_panel + p * kTile));
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; ++i) {
            int pair;
            std::memcpy(&pair, left + i * left_stride + p, sizeof pair);
            auto value = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
            sums[i][0] = _mm512_dpbf16_ps(sums[i][0], value, first);
            sums[i][1] = _mm512_dpbf16_ps(sums[i][1], value, second);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) {
        _mm512_storeu_ps(out + i * out_stride, sums[i][0]);
        _mm512_storeu_ps(out + i * out_stride + kTile, sums[i][1]);
    }
}

}  // namespace

MENO_DOT void dot_block(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate) {
    constexpr int64_t tall = 11;
    dot_rows<tall>(left, left_stride, panels, depth, out, out_stride, accumulate);
    dot_rows<tall>(left + tall * left_stride, left_stride, panels, depth, out + tall * out_stride, out_stride, accumulate);
    dot_rows<kBlock - 2 * tall>(
        left + 2 * tall * left_stride, left_stride, panels, depth, out + 2 * tall * out_stride, out_stride, accumulate);
}

MENO_DOT void dot_narrow(const float *from, int64_t from_stride, int64_t rows, int64_t n, uint16_t *to, int64_t to_stride) {
    for (; rows > 0; --rows, from += from_stride, to += to_stride) {
        int64_t i = 0;
        for (; i + kBlock <= n; i += kBlock) {
            __m512bh rounded = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + kTile), _mm512_loadu_ps(from + i));
            _mm512_storeu_si512(to + i, reinterpret_cast<__m512i>(rounded));
        }
        for (; i < n; i += kTile) {
            __mmask16 lanes = n - i < kTile ? static_cast<__mmask16>((1u << (n - i)) - 1) : 0xFFFF;
            __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(lanes, from + i));
            _mm256_mask_storeu_epi16(to + i, lanes, reinterpret_cast<__m256i>(rounded));
        }
    }
}

}  // namespace meno::tiles

#elif !defined(__aarch64__)

#include "DotBlock.h"

namespace meno::tiles {

bool has_dot_instruction() { return false; }
void dot_block(const uint16_t *, int64_t, const uint16_t *, int64_t, float *, int64_t, bool) {}
void dot_narrow(const float *, int64_t, int64_t, int64_t, uint16_t *, int64_t) {}

}  // namespace meno::tiles

#endif
