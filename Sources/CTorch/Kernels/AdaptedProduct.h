// A frozen linear layer with a low-rank adapter (Hu et al., 2021, arXiv:2106.09685), in one pass over its inputs:
//   lowered = s · D(x) · Aᵀ,   y = x · Wᵀ + lowered · Bᵀ,   D: dropout
// and its derivatives, with g = s · dy · B:
//   dx = dy · W + D(g · A),   dA = gᵀ · D(x),   dB = dyᵀ · lowered
// The adapter's part is added to each block of the frozen product while that is in the caches.
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

// `lowered` [m, rank] is an output, as y [m, rows] is.
void adapted(const float *x, int64_t m, const Matrix &weight, const Adapter &adapter, float *lowered, float *y);

// Gradients of x [m, columns], or null, A and B, from that of y.
void adapted_backward(
    const float *y_gradient, const float *x, const float *lowered, int64_t m, const Matrix &weight, const Adapter &adapter,
    float *x_gradient, float *down_gradient, float *up_gradient);

}  // namespace meno::product
