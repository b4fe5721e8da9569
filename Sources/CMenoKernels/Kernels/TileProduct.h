// Matrix products of bfloat16 matrices, accumulated in float32, on the matrix unit of x86 processors that have one (AMX), or by
// their bfloat16 dot products (AVX-512 BF16).
//
// libtorch's are oneDNN's, which generates machine code for every number of rows, packs a weight again for every product, and
// returns results that have been rounded and written before anything more can be done with them. Here, blocks of 32 × 32
// sums are handed on in float32 while they are in the caches.
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace meno::tiles {

// Whether products are taken on tiles: by the unit, by dot products, or by plain code in their place (ProductKind.h).
bool available();
// Whether this processor and its kernel let this process use the unit, and whether it has dot products. Both follow
// ATEN_CPU_CAPABILITY, as libtorch's own kernels do.
bool has_matrix_unit();
bool has_dot();

// Rows and columns of a block of sums, of which a product computes whole ones.
constexpr int64_t kBlock = 32;
// Columns of a panel, of which a block passes by two.
constexpr int64_t kTile = kBlock / 2;
// What the depth of a product is a multiple of.
constexpr int64_t kDepth = 32;

inline int64_t whole_blocks(int64_t n) { return (n + kBlock - 1) / kBlock * kBlock; }

// Panels of kTile columns [depth / 2, kTile, 2], the last ones filled up with zeros to whole blocks of columns.

// Packs `count` rows of a matrix, `stride` values apart, as columns of the right side.
void pack_rows(const uint16_t *rows, int64_t stride, int64_t count, int64_t depth, uint16_t *panels);
// Packs `count` columns of a matrix of `rows` rows, `stride` values apart. The depth is `rows`, filled up with zeros.
void pack_columns(const uint16_t *columns, int64_t stride, int64_t count, int64_t rows, uint16_t *panels);

// The unit, where it is in use, made ready on this thread while this lives.
class Session {
  public:
    Session();
    ~Session();
    Session(const Session &) = delete;
};

// Other work of this thread, in pieces that are spread over the steps of a product on the matrix unit: it and the vector units
// work at the same time where what each is given to do is close together. Elsewhere it follows the product.
struct Aside {
    int64_t pieces = 0;
    c10::function_ref<void(int64_t piece)> work;
};

// out [32, 32] (+)= left [32, depth] · two panels. Strides in values. Needs a Session on this thread.
void multiply_block(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate, const Aside &aside = {});

// to [32, 32] = from [32, 32]ᵀ.
void transpose_block(const float *from, int64_t from_stride, float *to, int64_t to_stride);

// to [rows, n] = from [rows, n], rounded to nearest. Strides in values.
void narrow(const float *from, int64_t from_stride, int64_t rows, int64_t n, uint16_t *to, int64_t to_stride);
inline void narrow(const float *from, int64_t n, uint16_t *to) { narrow(from, n, 1, n, to, n); }

}  // namespace meno::tiles
