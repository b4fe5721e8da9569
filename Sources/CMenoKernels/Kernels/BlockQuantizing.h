// GGUF's "K" blocks of 256 values, whose scales are searched for.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace meno::packing {

// Writes the blocks of contiguous float32 values. `format` is Q4_K, Q5_K or Q6_K.
void quantize_blocks(const at::Tensor &values, std::string_view format, const at::Tensor &blocks);

}  // namespace meno::packing
