// activation(gate) · up of a gated feed-forward block.
#pragma once

#include <c10/core/ScalarType.h>

#include <string_view>

namespace meno {

enum class GateKind { silu = 0, gelu_tanh = 1 };

// By its name, silu or gelu_tanh.
GateKind gate_kind(std::string_view activation);

// out [n] = activation(gate) · up, of one type, float32 or bfloat16.
using Gating = void (*)(const void *gate, const void *up, int64_t n, void *out);

Gating gating(GateKind activation, c10::ScalarType type);

}  // namespace meno
