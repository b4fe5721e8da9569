#include "PanelTile.h"

#include "Product.h"
#include "Vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MENO_AVX2 __attribute__((target("avx2,fma")))
#define MENO_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

namespace meno::product {

namespace {

constexpr int64_t kTall = 6;

// AVX2: 6 × 16 sums fill 12 of the 16 registers.

template <int rows>
MENO_AVX2 void narrow_tile(
    const float *x, int64_t x_stride, const float *panel, int64_t depth, float *out, int64_t out_stride, bool accumulate) {
    __m256 sums[rows][2];
    for (int i = 0; i < rows; ++i) sums[i][0] = sums[i][1] = _mm256_setzero_ps();
#pragma clang loop unroll_count(4)
    for (int64_t p = 0; p < depth; ++p, panel += kPanel) {
        __m256 left = _mm256_load_ps(panel), right = _mm256_load_ps(panel + 8);
        for (int i = 0; i < rows; ++i) {
            __m256 value = _mm256_broadcast_ss(x + i * x_stride + p);
            sums[i][0] = _mm256_fmadd_ps(value, left, sums[i][0]);
            sums[i][1] = _mm256_fmadd_ps(value, right, sums[i][1]);
        }
    }
    for (int i = 0; i < rows; ++i) {
        float *row = out + i * out_stride;
        if (accumulate) {
            sums[i][0] = _mm256_add_ps(sums[i][0], _mm256_loadu_ps(row));
            sums[i][1] = _mm256_add_ps(sums[i][1], _mm256_loadu_ps(row + 8));
        }
        _mm256_storeu_ps(row, sums[i][0]);
        _mm256_storeu_ps(row + 8, sums[i][1]);
    }
}

constexpr decltype(&narrow_tile<1>) kNarrowTiles[kTall] = {narrow_tile<1>, narrow_tile<2>, narrow_tile<3>,
                                                            narrow_tile<4>, narrow_tile<5>, narrow_tile<6>};

void multiply_avx2(
    int64_t rows, int64_t columns, const float *x, int64_t x_stride, const float *panel, int64_t, int64_t depth, float *out,
    int64_t out_stride, bool accumulate) {
    auto tile = kNarrowTiles[rows - 1];
    if (columns == kPanel) return tile(x, x_stride, panel, depth, out, out_stride, accumulate);
    alignas(32) float result[kTall * kPanel];
    tile(x, x_stride, panel, depth, result, kPanel, false);
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
            float &place = out[i * out_stride + j];
            place = result[i * kPanel + j] + (accumulate ? place : 0.0f);
        }
}

// AVX-512: 6 × 64 sums fill 24 of the 32 registers, and a value that is read serves four multiply-adds.

constexpr int kPanels = 4;
constexpr int64_t kAhead = 8;  // panels come from the second-level cache

template <int rows, int panels>
MENO_AVX512 void wide_tile(
    const float *x, int64_t x_stride, const float *from, int64_t panel_stride, int64_t depth, float *out,
    int64_t out_stride, __mmask16 last, bool accumulate) {
    __m512 sums[rows][panels];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i)
#pragma clang loop unroll(full)
        for (int j = 0; j < panels; ++j) sums[i][j] = _mm512_setzero_ps();
#pragma clang loop unroll_count(4)
    for (int64_t p = 0; p < depth; ++p) {
        __m512 right[panels];
#pragma clang loop unroll(full)
        for (int j = 0; j < panels; ++j) {
            const float *place = from + j * panel_stride + p * kPanel;
            right[j] = _mm512_load_ps(place);
            _mm_prefetch(place + kAhead * kPanel, _MM_HINT_T0);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; ++i) {
            __m512 value = _mm512_set1_ps(x[i * x_stride + p]);
#pragma clang loop unroll(full)
            for (int j = 0; j < panels; ++j) sums[i][j] = _mm512_fmadd_ps(value, right[j], sums[i][j]);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i)
#pragma clang loop unroll(full)
        for (int j = 0; j < panels; ++j) {
            __mmask16 inside = j == panels - 1 ? last : static_cast<__mmask16>(0xFFFF);
            float *place = out + i * out_stride + j * kPanel;
            if (accumulate) sums[i][j] = _mm512_add_ps(sums[i][j], _mm512_maskz_loadu_ps(inside, place));
            _mm512_mask_storeu_ps(place, inside, sums[i][j]);
        }
}

using WideTile = decltype(&wide_tile<1, 1>);
template <int panels>
constexpr WideTile kWideTiles[kTall] = {wide_tile<1, panels>, wide_tile<2, panels>, wide_tile<3, panels>,
                                        wide_tile<4, panels>, wide_tile<5, panels>, wide_tile<6, panels>};

void multiply_avx512(
    int64_t rows, int64_t columns, const float *x, int64_t x_stride, const float *panels, int64_t panel_stride,
    int64_t depth, float *out, int64_t out_stride, bool accumulate) {
    constexpr const WideTile *tiles[kPanels] = {kWideTiles<1>, kWideTiles<2>, kWideTiles<3>, kWideTiles<4>};
    int64_t count = (columns + kPanel - 1) / kPanel;
    auto last = static_cast<__mmask16>((1u << (columns - (count - 1) * kPanel)) - 1);
    tiles[count - 1][rows - 1](x, x_stride, panels, panel_stride, depth, out, out_stride, last, accumulate);
}

}  // namespace

const PanelTile &panel_tile() {
    // The panels of a tile and the rows of a block lie in the second-level cache: 160 KiB of 256 or more, 640 KiB of 1 MiB.
    static const PanelTile narrow{kTall, kPanel, 640, 48, multiply_avx2};
    static const PanelTile wide{kTall, kPanels * kPanel, 1024, 96, multiply_avx512};
    return has_avx512() ? wide : narrow;
}

}  // namespace meno::product

#endif
