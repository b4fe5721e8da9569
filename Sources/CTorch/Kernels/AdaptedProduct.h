// A frozen linear layer with a low-rank adapter (Hu et al., 2021, arXiv:2106.09685), in one pass over its inputs:
//   lowered = s · D(x) · Aᵀ,   y = x · Wᵀ + lowered · Bᵀ,   D: dropout
// and its derivatives, with g = s · dy · B:
//   dx = dy · W + D(g · A),   dA = gᵀ · D(x),   dB = dyᵀ · lowered
// The adapter's part is computed in float32 and added to the frozen product block by block. Where that is this project's own,
// its blocks are still in the caches then and only the sum is rounded to the activations' type; one of libtorch's has been
// rounded before.
#pragma once

#include "Dropout.h"
#include "Product.h"

namespace meno::product {

struct Adapter {
    const float *down;  // A [rank, columns of W]
    const float *up;    // B [rows of W, rank]
    int64_t rank;
    float scaling;
    Dropout dropout;
};

// Activations in float32, or in the weight's type where that is bfloat16 and own products do not apply; all contiguous
// matrices. Outputs: `lowered` [m, rank] in float32 and y [m, rows].
void adapted(const at::Tensor &x, const at::Tensor &weight, const Adapter &adapter, float *lowered, const at::Tensor &y);

// Gradients of x [m, columns], or an undefined tensor, A and B, from that of y.
void adapted_backward(
    const at::Tensor &y_gradient, const at::Tensor &x, const float *lowered, const at::Tensor &weight,
    const Adapter &adapter, const at::Tensor &x_gradient, float *down_gradient, float *up_gradient);

}  // namespace meno::product
