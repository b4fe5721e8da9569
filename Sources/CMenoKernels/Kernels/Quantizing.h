// Codes and scales as bitsandbytes makes them: the same operations, in its order.
#pragma once

#include <ATen/core/Tensor.h>

namespace meno::packing {

// Writes the four-bit codes of contiguous values (float32 or bfloat16), two in a byte, and the scale of each 64 of them. A value
// over its scale becomes numbers[i], where i of the 15 ascending bounds lie below it.
void quantize_four_bits(
    const at::Tensor &values, const at::Tensor &bounds, const at::Tensor &numbers, const at::Tensor &codes,
    const at::Tensor &scales);

// The same in eight bits, in two's complement, with a scale for each row of values [rows, columns].
void quantize_eight_bits(const at::Tensor &values, const at::Tensor &codes, const at::Tensor &scales);

}  // namespace meno::packing
