// Matrix products of float32 activations with frozen weights in float32, bfloat16 or packed, accumulated in float32.
//
// For processors with AVX2 or AVX-512. Where they lack bfloat16 instructions, libtorch's bfloat16 products take five to a
// hundred times as long as its float32 ones; here a weight in bfloat16 is widened once for all rows that pass by it.
// On a matrix unit (AMX), or by dot products, bfloat16 products are those of TileProduct.h; which is chosen: ProductKind.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "Packing.h"
#include "Parallel.h"

namespace meno::product {

// Whether this processor supports these products. Respects ATEN_CPU_CAPABILITY, as libtorch's kernels do.
bool available();
// Whether activations meet weights in bfloat16 as float32, because the processor multiplies that faster.
bool widens();
// Whether this processor can run what is below at all.
bool has_panels();

enum class Type { float32, bfloat16, packed };

// A matrix [rows, columns], row-major without gaps.
struct Matrix {
    const void *data;
    Type type;
    int64_t rows, columns;
    const packing::Packed *packed = nullptr;

    // Bytes of an element of one that is not packed.
    int64_t size() const { return type == Type::float32 ? 4 : 2; }
    Matrix slice(int64_t first, int64_t count) const {
        return {static_cast<const char *>(data) + first * columns * size(), type, count, columns};
    }
};

// A contiguous tensor [rows, columns] in one of the two types.
inline Matrix matrix_of(const at::Tensor &tensor) {
    auto type = tensor.scalar_type() == at::kBFloat16 ? Type::bfloat16 : Type::float32;
    return {tensor.data_ptr(), type, tensor.size(0), tensor.size(1)};
}

// Products of so many rows pack nothing. Text is generated a token at a time: always the same few rows.
constexpr int64_t kFew = 4;

// Columns of a packed panel, and of a chunk of panels that stays in the caches while every row passes by it.
constexpr int64_t kPanel = 16;
constexpr int64_t kChunk = 512;

// Packs (decodes, where the matrix is a packed one) rows first..<first + count of a matrix as columns of the product x · Wᵀ:
// panels [depth, 16] of float32, the last one filled up with zeros. `packed` holds ⌈count / 16⌉ · 16 · columns values, aligned to
// 64 bytes.
void pack_rows(const Matrix &matrix, int64_t first, int64_t count, float *packed);
// The same for columns first..<first + count, for the product x · W.
void pack_columns(const Matrix &matrix, int64_t first, int64_t count, float *packed);

// out [m, count] (+)= x [m, depth] · packed panels, on this thread.
void multiply(
    const float *x, int64_t x_stride, int64_t m, const float *packed, int64_t depth, int64_t count, float *out,
    int64_t out_stride, bool accumulate);

// What is done with rows start..<start + rows, columns first..<first + count of a result while they are in the caches, as
// float32 at `part`, whose rows are `stride` values apart. `first` is a multiple of kPanel. Called on any thread, for each
// part of the result once.
using Finish =
    std::function<void(int64_t start, int64_t rows, int64_t first, int64_t count, float *part, int64_t stride)>;

// out [m, rows] = x [m, columns] · Wᵀ, or with `transposed` out [m, columns] = x [m, rows] · W, on all threads.
// Every row of the result is computed the same way whatever m is above kFew and however many threads there are.
void multiply(const float *x, int64_t m, const Matrix &matrix, bool transposed, float *out, const Finish &finish = nullptr);

// m rows in the blocks that one thread takes at a time: as many for each thread, none above panel_tile().rows.
Shares row_blocks(int64_t m);

// Memory for one thread's packed panels, kept for its next product.
float *scratch(int64_t values);

}  // namespace meno::product
