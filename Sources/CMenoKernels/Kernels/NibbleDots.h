// Products of rows of four-bit blocks with one row of activations, for processors with AVX-512: their sixteen values are a table
// in a register, in which the codes of 16 weights are looked up at once.
#pragma once

#include "Packing.h"

namespace meno::packing {

// Of Q4_0, Q4_1 and Q4_K; null for other formats, and where the processor or ATEN_CPU_CAPABILITY has no AVX-512. The values are
// those of Packed::decode, bit for bit.
decltype(Packed::dot) nibble_dot(std::string_view format);

}  // namespace meno::packing
