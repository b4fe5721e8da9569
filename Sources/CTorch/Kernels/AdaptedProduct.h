// A frozen linear layer with a low-rank adapter (Hu et al., 2021, arXiv:2106.09685), in one pass over its inputs:
//   lowered = s · D(x) · Aᵀ,   y = x · Wᵀ + lowered · Bᵀ,   D: dropout
// and its derivatives, with g = s · dy · B:
//   dx = dy · W + D(g · A),   dA = gᵀ · D(x),   dB = dyᵀ · lowered
// The adapter's part is computed in float32 and added to the frozen product block by block. Where that is this project's own,
// its blocks are still in the caches then and only the sum is rounded to the activations' type; one of libtorch's has been
// rounded before.
#pragma once

#include "../Internal.h"
#include "Dropout.h"

namespace meno {

// Of x, where it is asked for, and in float32 of A and B.
struct AdaptedGradients {
    at::Tensor input, down, up;
};

// D of an adapter for an input [rows, columns].
inline Dropout dropout_of(const ct_adapter &adapter, const at::Tensor &x) {
    if (adapter.dropout <= 0) return {};
    TORCH_CHECK(adapter.row_numbers, "dropout needs the numbers of the rows");
    return {adapter.dropout, adapter.dropout_key, row_numbers(adapter.row_numbers->value, x)};
}

}  // namespace meno

namespace meno::product {

// x [m, columns] · Wᵀ + lowered · Bᵀ; activations in float32, or in the weight's type where that is bfloat16 and own products
// do not apply; all contiguous matrices on the CPU. `lowered` is in float32. Takes no part in autograd.
at::Tensor adapted(const at::Tensor &x, const at::Tensor &weight, const ct_adapter &adapter, at::Tensor &lowered);
AdaptedGradients adapted_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &lowered, const at::Tensor &weight,
    const ct_adapter &adapter, bool input);

}  // namespace meno::product
