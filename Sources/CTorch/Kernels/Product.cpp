#include "Product.h"

#include <ATen/Version.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "Parallel.h"
#include "Vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MENO_AVX2 __attribute__((target("avx2,fma")))
#define MENO_AVX2_INLINE static inline __attribute__((always_inline, target("avx2,fma")))
#endif

namespace meno::product {

float *scratch(int64_t values) {
    struct Free {
        void operator()(float *memory) const { std::free(memory); }
    };
    thread_local std::unique_ptr<float, Free> memory;
    thread_local int64_t size = 0;
    if (values > size) {
        memory.reset();
        size = 0;
        auto bytes = static_cast<size_t>((values * 4 + 63) / 64 * 64);
        memory.reset(static_cast<float *>(std::aligned_alloc(64, bytes)));
        if (!memory) throw std::bad_alloc();
        size = values;
    }
    return memory.get();
}

#if defined(__x86_64__)

bool has_panels() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool available() {
    static const bool result = has_panels() && at::get_cpu_capability() == "AVX2";
    return result;
}

namespace {

constexpr int64_t kTall = 6;  // rows of a register tile: 6 × 16 sums fill 12 of the 16 registers
constexpr int64_t kDepth = 640;  // of a panel that stays in the first-level cache

MENO_AVX2_INLINE __m256 load8(const float *p) { return _mm256_loadu_ps(p); }
MENO_AVX2_INLINE __m256 load8(const uint16_t *p) {
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
inline float load1(const float *p) { return *p; }
inline float load1(const uint16_t *p) { return BFloat16::load(*p); }

// One register tile: `rows` × 16 sums over `depth`.
template <int rows>
MENO_AVX2_INLINE void tile(
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

MENO_AVX2 void tile_of(
    int64_t rows, const float *x, int64_t x_stride, const float *panel, int64_t depth, float *out, int64_t out_stride,
    bool accumulate) {
    switch (rows) {
        case 1: return tile<1>(x, x_stride, panel, depth, out, out_stride, accumulate);
        case 2: return tile<2>(x, x_stride, panel, depth, out, out_stride, accumulate);
        case 3: return tile<3>(x, x_stride, panel, depth, out, out_stride, accumulate);
        case 4: return tile<4>(x, x_stride, panel, depth, out, out_stride, accumulate);
        case 5: return tile<5>(x, x_stride, panel, depth, out, out_stride, accumulate);
        default: return tile<kTall>(x, x_stride, panel, depth, out, out_stride, accumulate);
    }
}

// A tile whose 16 columns are more than the result has.
MENO_AVX2 void narrow_tile(
    int64_t rows, const float *x, int64_t x_stride, const float *panel, int64_t depth, float *out, int64_t out_stride,
    int64_t columns, bool accumulate) {
    alignas(32) float result[kTall * kPanel];
    tile_of(rows, x, x_stride, panel, depth, result, kPanel, false);
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
            float &place = out[i * out_stride + j];
            place = result[i * kPanel + j] + (accumulate ? place : 0.0f);
        }
}

MENO_AVX2_INLINE void transpose8(__m256 r[8]) {
    __m256 t[8], s[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        s[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        s[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
        s[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        s[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
    }
}

template <class Element>
MENO_AVX2 void pack_row_panel(const Element *rows, int64_t stride, int64_t count, int64_t depth, float *panel) {
    int64_t p = 0;
    if (count == kPanel)
        for (; p + 8 <= depth; p += 8)
            for (int half = 0; half < 2; ++half) {
                __m256 r[8];
                for (int i = 0; i < 8; ++i) r[i] = load8(rows + (half * 8 + i) * stride + p);
                transpose8(r);
                for (int i = 0; i < 8; ++i) _mm256_store_ps(panel + (p + i) * kPanel + half * 8, r[i]);
            }
    for (; p < depth; ++p)
        for (int64_t j = 0; j < kPanel; ++j) panel[p * kPanel + j] = j < count ? load1(rows + j * stride + p) : 0.0f;
}

template <class Element>
MENO_AVX2 void pack_column_panel(const Element *columns, int64_t stride, int64_t count, int64_t depth, float *panel) {
    for (int64_t p = 0; p < depth; ++p, columns += stride, panel += kPanel) {
        if (count == kPanel) {
            _mm256_store_ps(panel, load8(columns));
            _mm256_store_ps(panel + 8, load8(columns + 8));
        } else {
            for (int64_t j = 0; j < kPanel; ++j) panel[j] = j < count ? load1(columns + j) : 0.0f;
        }
    }
}

template <class Element>
MENO_AVX2 float dot(const float *x, const Element *row, int64_t depth) {
    __m256 sums[4];
    for (auto &sum : sums) sum = _mm256_setzero_ps();
    int64_t p = 0;
    for (; p + 32 <= depth; p += 32)
        for (int i = 0; i < 4; ++i)
            sums[i] = _mm256_fmadd_ps(_mm256_loadu_ps(x + p + i * 8), load8(row + p + i * 8), sums[i]);
    __m256 sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, sum);
    float total = 0;
    for (float lane : lanes) total += lane;
    for (; p < depth; ++p) total += x[p] * load1(row + p);
    return total;
}

template <class Element>
void multiply_few(const float *x, int64_t m, const Matrix &matrix, float *out) {
    auto data = static_cast<const Element *>(matrix.data);
    int64_t depth = matrix.columns;
    parallel_rows(matrix.rows, std::max<int64_t>(1, (1 << 16) / depth), [&](int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; ++j)
            for (int64_t i = 0; i < m; ++i) out[i * matrix.rows + j] = dot(x + i * depth, data + j * depth, depth);
    });
}

}  // namespace

void pack_rows(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    for (int64_t j = 0; j < count; j += kPanel) {
        int64_t width = std::min(kPanel, count - j), place = (first + j) * matrix.columns;
        float *panel = packed + j * matrix.columns;
        if (matrix.type == Type::float32)
            pack_row_panel(static_cast<const float *>(matrix.data) + place, matrix.columns, width, matrix.columns, panel);
        else
            pack_row_panel(static_cast<const uint16_t *>(matrix.data) + place, matrix.columns, width, matrix.columns, panel);
    }
}

void pack_columns(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    for (int64_t j = 0; j < count; j += kPanel) {
        int64_t width = std::min(kPanel, count - j), place = first + j;
        float *panel = packed + j * matrix.rows;
        if (matrix.type == Type::float32)
            pack_column_panel(static_cast<const float *>(matrix.data) + place, matrix.columns, width, matrix.rows, panel);
        else
            pack_column_panel(static_cast<const uint16_t *>(matrix.data) + place, matrix.columns, width, matrix.rows, panel);
    }
}

void multiply(
    const float *x, int64_t x_stride, int64_t m, const float *packed, int64_t depth, int64_t count, float *out,
    int64_t out_stride, bool accumulate) {
    int64_t parts = std::max<int64_t>(1, (depth + kDepth - 1) / kDepth);
    int64_t part = (depth + parts - 1) / parts;
    for (int64_t start = 0; start < depth; start += part) {
        int64_t length = std::min(part, depth - start);
        bool adds = accumulate || start > 0;
        for (int64_t j = 0; j < count; j += kPanel) {
            const float *panel = packed + j * depth + start * kPanel;
            int64_t width = std::min(kPanel, count - j);
            for (int64_t i = 0; i < m; i += kTall) {
                int64_t rows = std::min(kTall, m - i);
                const float *from = x + i * x_stride + start;
                float *to = out + i * out_stride + j;
                if (width == kPanel) tile_of(rows, from, x_stride, panel, length, to, out_stride, adds);
                else narrow_tile(rows, from, x_stride, panel, length, to, out_stride, width, adds);
            }
        }
    }
}

Shares row_blocks(int64_t m) {
    int64_t threads = at::get_num_threads(), wanted = (m + threads * kRows - 1) / (threads * kRows) * threads;
    return {m, kTall, std::min(wanted, (m + kTall - 1) / kTall)};
}

void multiply(const float *x, int64_t m, const Matrix &matrix, bool transposed, float *out, const Finish &finish) {
    int64_t depth = transposed ? matrix.rows : matrix.columns;
    int64_t width = transposed ? matrix.columns : matrix.rows;
    if (m <= 4 && !transposed) {
        if (matrix.type == Type::float32) multiply_few<float>(x, m, matrix, out);
        else multiply_few<uint16_t>(x, m, matrix, out);
        for (int64_t first = 0; finish && first < width; first += kChunk)
            finish(0, m, first, std::min(kChunk, width - first), out + first, width);
        return;
    }
    Shares blocks = row_blocks(m);
    float *packed = scratch(std::min(kChunk, (width + kPanel - 1) / kPanel * kPanel) * depth);
    for (int64_t first = 0; first < width; first += kChunk) {
        int64_t count = std::min(kChunk, width - first);
        int64_t panels = (count + kPanel - 1) / kPanel;
        parallel(panels, [&](int64_t i) {
            int64_t columns = std::min(kPanel, count - i * kPanel);
            if (transposed) pack_columns(matrix, first + i * kPanel, columns, packed + i * kPanel * depth);
            else pack_rows(matrix, first + i * kPanel, columns, packed + i * kPanel * depth);
        });
        parallel(blocks.count, [&](int64_t block) {
            int64_t start = blocks.begin(block), here = blocks.size(block);
            multiply(x + start * depth, depth, here, packed, depth, count, out + start * width + first, width, false);
            if (finish) finish(start, here, first, count, out + start * width + first, width);
        });
    }
}

#else

bool has_panels() { return false; }
bool available() { return false; }
void pack_rows(const Matrix &, int64_t, int64_t, float *) {}
void pack_columns(const Matrix &, int64_t, int64_t, float *) {}
void multiply(const float *, int64_t, int64_t, const float *, int64_t, int64_t, float *, int64_t, bool) {}
void multiply(const float *, int64_t, const Matrix &, bool, float *, const Finish &) {}
Shares row_blocks(int64_t m) { return {m, 1, at::get_num_threads()}; }

#endif

}  // namespace meno::product
