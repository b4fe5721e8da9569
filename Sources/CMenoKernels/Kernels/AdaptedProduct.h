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
#include "Weight.h"

namespace meno {

// The gradients of x, if requested, and of A and B in float32.
struct AdaptedGradients {
    at::Tensor input, down, up;
};

// A low-rank change of a frozen matrix [rows, columns]: A [rank, columns] and B [rows, rank], contiguous float32.
struct Adapter {
    at::Tensor down, up;
    float scaling;
    Dropout dropout;  // D of its input
};

// Whether the products below, on the CPU or on a GPU, take these activations and weights: on the CPU what product::takes, and
// types that are alike; on a GPU that has this project's kernels types that are alike.
bool takes_adapted(const at::Tensor &x, const product::Weight &weight);

}  // namespace meno

namespace meno::product {

// x [m, columns] · Wᵀ + lowered · Bᵀ; activations in float32, or in bfloat16 beside a weight in bfloat16 or packed where own
// products do not apply; all contiguous matrices on the CPU. `lowered` is in float32. Takes no part in autograd.
at::Tensor adapted(const at::Tensor &x, const Weight &weight, const Adapter &adapter, at::Tensor &lowered);
AdaptedGradients adapted_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &lowered, const Weight &weight,
    const Adapter &adapter, bool input);

}  // namespace meno::product
