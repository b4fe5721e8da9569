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

}  // namespace

void pack_rows(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    (matrix.type == Type::float32 ? pack_rows_of<Float32> : pack_rows_of<BFloat16>)(matrix, first, count, packed);
}

void pack_columns(const Matrix &matrix, int64_t first, int64_t count, float *packed) {
    (matrix.type == Type::float32 ? pack_float32_columns : pack_bfloat16_columns)(matrix, first, count, packed);
}

}  // namespace meno::product
