// Products of activations with frozen weights, by Meno's kernels where they are faster and by libtorch elsewhere.
//
// Where the processor has no matrix unit, bfloat16 products are libtorch's, by oneDNN, which generates machine code for
// every number of rows that it meets, and passes of packed examples hardly ever have the same. Generating it took longer
// than the products (a third of a step on a processor with AMX). So activations in bfloat16 have room below them up to a
// multiple of 64 rows, and products are computed for whole blocks of them only: what comes out for the rows in between is
// never read.
#pragma once

#include "GatedActivation.h"
#include "Product.h"
#include "Weight.h"

namespace meno::product {

// An uninitialised tensor of these sizes [rows, ...]; in bfloat16 with room below it.
at::Tensor empty_rows(at::IntArrayRef sizes, const at::TensorOptions &options);

// A contiguous bfloat16 matrix with room for the rows below it; copied if there is none.
at::Tensor with_room(const at::Tensor &matrix);

// out [m, rows] = x [m, columns] · Wᵀ, or with `transposed` out [m, columns] = x [m, rows] · W, all contiguous matrices on
// the CPU and `out` of empty_rows. Takes no part in autograd.
void multiply(
    const at::Tensor &x, const Weight &weight, bool transposed, const at::Tensor &out, const Finish &finish = nullptr);

// Whether products of activations with a weight of these types are computed here: float32 with any, where products are this
// project's own, and bfloat16 with bfloat16 and with packed ones, which are decoded to it.
bool takes(const at::Tensor &x, const Weight &weight);
// Whether those below, of bfloat16, take activations [..., in] and a weight [out, in].
bool takes_gated(const at::Tensor &x, const at::Tensor &weight);

// Whether bfloat16 products of m rows of this depth are on the processor's matrix unit.
bool has_tiles(int64_t m, int64_t depth);

// The product above, in bfloat16 where has_tiles.
void multiply_tiles(
    const at::Tensor &x, const at::Tensor &weight, bool transposed, const at::Tensor &out, const Finish &finish);

// out [m, rows] = activation(x · Gᵀ) · (x · Uᵀ), for weights of one size, where has_tiles: what would be the results of two
// products is never written. They are rounded all the same, so that this is equal to three operations of their own.
void multiply_gated(
    const at::Tensor &x, const at::Tensor &gate, const at::Tensor &up, Gating gating, const at::Tensor &out);

}  // namespace meno::product
