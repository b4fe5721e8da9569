// activation(gate) · up of a gated feed-forward block.
#pragma once

#include <c10/core/ScalarType.h>

#include "../include/CTorch.h"

namespace meno {

// out [n] = activation(gate) · up, of one type, float32 or bfloat16.
using Gating = void (*)(const void *gate, const void *up, int64_t n, void *out);

Gating gating(ct_activation activation, c10::ScalarType type);

}  // namespace meno
