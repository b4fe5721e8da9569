// The ways in which products with frozen bfloat16 weights are computed, of which every processor has some.
//
// Which is the fastest cannot be told from what a processor is called or claims: with the same instructions, widened weights
// take 0.7 of the time of bfloat16 products on one and 1.5 times as long on another. Front ends measure (ProductKind.swift).
#pragma once

#include <optional>
#include <string_view>

namespace meno::product {

enum class Kind {
    matrix_unit,  // AMX, on tiles (TileProduct.h)
    dot,          // the processor's bfloat16 dot products, on the same tiles
    widened,      // float32 products over weights that are widened on the way, with float32 activations (Product.h)
    library,      // libtorch's bfloat16 products, rounded before an adapter's change is added: where there is nothing else
    emulated,     // plain code in the matrix unit's place, for tests
};

// "amx", "bfloat16", "float32", "libtorch", "emulated".
std::string_view name(Kind kind);
std::optional<Kind> kind_named(std::string_view name);

// Whether the processor supports it and ATEN_CPU_CAPABILITY allows it, as for libtorch's kernels.
bool supports(Kind kind);

// The one in use: MENO_PRODUCTS in the environment, else what use() was called with, else the first that is supported, in
// the order above.
Kind kind();
// What is computed later by another kind rounds otherwise. Without effect where MENO_PRODUCTS says one.
void use(Kind kind);

}  // namespace meno::product
