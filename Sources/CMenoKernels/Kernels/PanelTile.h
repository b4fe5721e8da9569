// The innermost part of a product with packed panels: sums that stay in the processor's registers.
#pragma once

#include <cstdint>

namespace meno::product {

// How this processor multiplies a few rows by a few panels. A sum runs through the depth in order, the same way in every
// tile that it can be part of.
struct PanelTile {
    int64_t tall, wide;  // rows, and columns in whole panels, of a tile
    int64_t depth;       // of the panels that stay in the caches while the rows of a block pass by them
    int64_t rows;        // of a block, which stay in the caches while the panels pass by them

    // out [rows, columns] (+)= x [rows, depth] · panels, which lie `panel_stride` values apart; rows ≤ tall, columns ≤ wide.
    void (*multiply)(
        int64_t rows, int64_t columns, const float *x, int64_t x_stride, const float *panels, int64_t panel_stride,
        int64_t depth, float *out, int64_t out_stride, bool accumulate);
};

// The tile that ATEN_CPU_CAPABILITY and the processor allow. Only where has_panels().
const PanelTile &panel_tile();

}  // namespace meno::product
