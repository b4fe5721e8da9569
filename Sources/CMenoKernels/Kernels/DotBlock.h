// Blocks of bfloat16 products by an instruction that adds the products of two pairs to a float32 sum: x86's VDPBF16PS (AVX-512
// BF16) and Arm's BFDOT (FEAT_BF16).
#pragma once

#include <cstdint>

namespace meno::tiles {

// Whether this processor has the instruction.
bool has_dot_instruction();

// As multiply_block and narrow of TileProduct.h. A sum runs through the depth in order, two values at a time. Only where
// has_dot_instruction().
void dot_block(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate);
void dot_narrow(const float *from, int64_t from_stride, int64_t rows, int64_t n, uint16_t *to, int64_t to_stride);

}  // namespace meno::tiles
