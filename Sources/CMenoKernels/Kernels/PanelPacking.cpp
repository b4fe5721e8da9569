// Matrices as the panels of Product.h.

#include <algorithm>
#include <type_traits>

#include "Product.h"
#include "Transpose.h"
#include "Vector.h"

namespace meno::product {

namespace {

static_assert(kPanel == kTransposed);

template <class Number>
void pack_rows_of(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    using Element = typename Number::Storage;
    constexpr bool paired = std::is_same_v<Number, BFloat16>;
    constexpr int64_t step = paired ? 2 * kPanel : kPanel;
    int64_t depth = matrix.columns, bytes = depth * matrix.size();
    for (int64_t j = 0; j < count; j += kPanel, packed += kPanel * depth) {
        auto rows = static_cast<const Element *>(matrix.data) + (first + j) * depth;
        int64_t here = std::min(kPanel, count - j), p = 0;
        for (; here == kPanel && p + step <= depth; p += step) {
            if constexpr (paired) transpose_widened(rows + p, bytes, packed + p * kPanel, kPanel * 4);
            else transpose(rows + p, bytes, packed + p * kPanel, kPanel * 4);
        }
        for (; p < depth; ++p)
            for (int64_t i = 0; i < kPanel; ++i)
                packed[p * kPanel + i] = i < here ? Number::load(rows[i * depth + p]) : 0.0f;
    }
}

// Rows are read through, for they are far apart; so far that the processor does not foresee them.
template <class Number>
MENO_INLINE void pack_columns_of(const Matrix &matrix, int64_t first, int64_t count, float *__restrict packed) {
    using Element = typename Number::Storage;
    constexpr int64_t ahead = 8, line = 64 / sizeof(Element);
    int64_t depth = matrix.rows, whole = count / kPanel;
    auto row = static_cast<const Element *__restrict>(matrix.data) + first;
    for (int64_t p = 0; p < depth; ++p, row += matrix.columns) {
        if (p + ahead < depth)
            for (int64_t j = 0; j < count; j += line) __builtin_prefetch(row + ahead * matrix.columns + j);
        for (int64_t panel = 0; panel < whole; ++panel)
            for (int64_t j = 0; j < kPanel; ++j)
                packed[(panel * depth + p) * kPanel + j] = Number::load(row[panel * kPanel + j]);
        for (int64_t j = 0; whole * kPanel < count && j < kPanel; ++j) {
            int64_t column = whole * kPanel + j;
            packed[(whole * depth + p) * kPanel + j] = column < count ? Number::load(row[column]) : 0.0f;
        }
    }
}
MENO_VECTOR_CLONES void pack_float32_columns(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    pack_columns_of<Float32>(matrix, first, count, packed);
}
MENO_VECTOR_CLONES void pack_bfloat16_columns(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    pack_columns_of<BFloat16>(matrix, first, count, packed);
}

// Columns of a packed matrix that are decoded at a time, few enough for the first-level cache.
constexpr int64_t kDecoded = 256, kStrip = 64;
static_assert(kStrip % packing::kUnit == 0 && kStrip % kPanel == 0);

void pack_decoded_rows(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    alignas(64) float part[kPanel * kDecoded];
    int64_t depth = matrix.columns;
    for (int64_t j = 0; j < count; j += kPanel, packed += kPanel * depth) {
        int64_t here = std::min(kPanel, count - j);
        std::fill(part + here * kDecoded, part + kPanel * kDecoded, 0.0f);
        for (int64_t p = 0; p < depth; p += kDecoded) {
            int64_t width = std::min(kDecoded, depth - p);
            for (int64_t i = 0; i < here; ++i)
                matrix.packed->decode(*matrix.packed, first + j + i, p, width, part + i * kDecoded);
            for (int64_t q = 0; q < width; q += kPanel)
                transpose(part + q, kDecoded * 4, packed + (p + q) * kPanel, kPanel * 4);
        }
    }
}

void pack_decoded_columns(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    constexpr int64_t ahead = 8;
    // A strip need not begin with a unit.
    alignas(64) float part[kStrip + 2 * packing::kUnit];
    const packing::Packed &source = *matrix.packed;
    int64_t depth = matrix.rows;
    for (int64_t j = 0; j < count; j += kStrip) {
        int64_t width = std::min(kStrip, count - j), from = (first + j) / packing::kUnit * packing::kUnit;
        int64_t to = (first + j + width + packing::kUnit - 1) / packing::kUnit * packing::kUnit, skipped = first + j - from;
        int64_t place = from * source.row_bytes / matrix.columns;
        for (int64_t p = 0; p < depth; ++p) {
            if (p + ahead < depth) __builtin_prefetch(source.data + (p + ahead) * source.row_bytes + place);
            source.decode(source, p, from, to - from, part);
            for (int64_t q = 0; q < width; q += kPanel) {
                float *panel = packed + (j + q) * depth + p * kPanel;
                int64_t here = std::min(kPanel, width - q);
                for (int64_t i = 0; i < kPanel; ++i) panel[i] = i < here ? part[skipped + q + i] : 0.0f;
            }
        }
    }
}

}  // namespace

void pack_rows(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    if (matrix.type == Type::packed) return pack_decoded_rows(matrix, first, count, packed);
    (matrix.type == Type::float32 ? pack_rows_of<Float32> : pack_rows_of<BFloat16>)(matrix, first, count, packed);
}

void pack_columns(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    if (matrix.type == Type::packed) return pack_decoded_columns(matrix, first, count, packed);
    (matrix.type == Type::float32 ? pack_float32_columns : pack_bfloat16_columns)(matrix, first, count, packed);
}

}  // namespace meno::product
