// Matrices as the panels of TileProduct.h.

#include <algorithm>

#include "TileProduct.h"
#include "Transpose.h"
#include "Vector.h"

namespace meno::tiles {

namespace {

// Rows that are asked for ahead, two at a time: they lie in as many pages, which no prefetcher of the processor's follows.
constexpr int64_t kAhead = 4;

// Pairs of rows of whole panels, which lie `depth` · kTile values apart. Rows are read through, for they are far apart.
MENO_VECTOR_CLONES void interleave(
    const uint16_t *rows, int64_t stride, int64_t pairs, int64_t panels, int64_t depth, uint16_t *to) {
    for (int64_t p = 0; p < pairs; ++p)
        for (int64_t panel = 0; panel < panels; ++panel) {
            const uint16_t *first = rows + 2 * p * stride + panel * kTile, *second = first + stride;
            if (p + kAhead < pairs && panel % 2 == 0) {
                __builtin_prefetch(first + 2 * kAhead * stride);
                __builtin_prefetch(second + 2 * kAhead * stride);
            }
            auto pair = reinterpret_cast<uint32_t *>(to + (panel * depth + 2 * p) * kTile);
            for (int64_t j = 0; j < kTile; ++j) pair[j] = first[j] | static_cast<uint32_t>(second[j]) << 16;
        }
}

}  // namespace

void transpose_block(const float *from, int64_t from_stride, float *to, int64_t to_stride) {
    for (int64_t i = 0; i < kBlock; i += kTile)
        for (int64_t j = 0; j < kBlock; j += kTile)
            transpose(from + i * from_stride + j, from_stride * 4, to + j * to_stride + i, to_stride * 4);
}

void pack_rows(const uint16_t *rows, int64_t stride, int64_t count, int64_t depth, uint16_t *panels) {
    for (int64_t first = 0; first < whole_blocks(count); first += kTile, panels += kTile * depth) {
        int64_t here = std::clamp<int64_t>(count - first, 0, kTile);
        const uint16_t *from = rows + first * stride;
        if (here == kTile) {  // a pair of values is one unit of a transposition
            for (int64_t p = 0; p < depth; p += 2 * kTile) transpose(from + p, stride * 2, panels + p * kTile, kTile * 4);
            continue;
        }
        for (int64_t p = 0; p < depth; ++p)
            for (int64_t j = 0; j < kTile; ++j)
                panels[p / 2 * 2 * kTile + 2 * j + p % 2] = j < here ? from[j * stride + p] : 0;
    }
}

void pack_columns(const uint16_t *columns, int64_t stride, int64_t count, int64_t rows, uint16_t *panels) {
    int64_t depth = (rows + kDepth - 1) / kDepth * kDepth, whole = count / kTile;
    interleave(columns, stride, rows / 2, whole, depth, panels);
    for (int64_t panel = 0; panel < whole_blocks(count) / kTile; ++panel)
        for (int64_t p = panel < whole ? rows / 2 * 2 : 0; p < depth; ++p)
            for (int64_t j = 0; j < kTile; ++j) {
                int64_t column = panel * kTile + j;
                panels[(panel * depth + p / 2 * 2) * kTile + 2 * j + p % 2] =
                    column < count && p < rows ? columns[p * stride + column] : 0;
            }
}

}  // namespace meno::tiles
