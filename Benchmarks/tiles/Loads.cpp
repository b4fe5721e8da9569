// TileProduct.h with loads of the operands in the place of the matrix unit. Sums are zeros.

#include "TileProduct.h"

#include <immintrin.h>

#include <algorithm>

namespace meno::tiles {

namespace {

// Reads 16 rows of 64 bytes, as a tile register is loaded.
inline void load_tile(const void *from, int64_t stride) {
    for (int64_t i = 0; i < kTile; ++i) {
        __m512i row = _mm512_loadu_si512(static_cast<const char *>(from) + i * stride);
        asm volatile("" ::"v"(row));
    }
}

}  // namespace

bool available() { return true; }
Session::Session() {}
Session::~Session() {}

void multiply_block(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate, const Aside &aside) {
    for (int64_t i = 0; i < kBlock && accumulate; i += kTile)
        for (int64_t j = 0; j < kBlock; j += kTile) load_tile(out + i * out_stride + j, out_stride * 4);
    int64_t due = 0, piece = 0;
    for (int64_t p = 0; p < depth; p += kDepth) {
        for (int64_t half = 0; half < 2; ++half) {
            load_tile(left + half * kTile * left_stride + p, left_stride * 2);
            load_tile(panels + half * kTile * depth + p * kTile, 64);
        }
        for (due += aside.pieces * kDepth; due >= depth; due -= depth) aside.work(piece++);
    }
    for (int64_t i = 0; i < kBlock; ++i) std::fill_n(out + i * out_stride, kBlock, 0.0f);
}

void narrow(const float *from, int64_t n, uint16_t *to) {
    int64_t i = 0;
    for (; i + kTile <= n; i += kTile) {
        __m512i bits = _mm512_loadu_si512(from + i);
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + i), _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
    }
    for (; i < n; ++i) to[i] = 0;
}

}  // namespace meno::tiles
