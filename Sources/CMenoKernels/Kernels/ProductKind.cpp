#include "ProductKind.h"

#include <c10/util/Exception.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "Product.h"
#include "TileProduct.h"

namespace meno::product {

namespace {

constexpr std::array<std::pair<Kind, std::string_view>, 5> kNames{{
    {Kind::matrix_unit, "amx"},
    {Kind::dot, "bfloat16"},
    {Kind::widened, "float32"},
    {Kind::library, "libtorch"},
    {Kind::emulated, "emulated"},
}};

std::optional<Kind> forced() {
    const char *value = std::getenv("MENO_PRODUCTS");
    if (!value || !*value) return std::nullopt;
    auto kind = kind_named(value);
    TORCH_CHECK(kind, "MENO_PRODUCTS is ", value, "; expected amx, bfloat16, float32, libtorch or emulated");
    TORCH_CHECK(supports(*kind), "MENO_PRODUCTS is ", value, ", which this processor does not have");
    return kind;
}

Kind first_supported() {
    for (auto [kind, name] : kNames)
        if (supports(kind)) return kind;
    return Kind::library;
}

std::atomic<Kind> &chosen() {
    static std::atomic<Kind> result = forced().value_or(first_supported());
    return result;
}

}  // namespace

std::string_view name(Kind kind) {
    for (auto [each, name] : kNames)
        if (each == kind) return name;
    return "";
}

std::optional<Kind> kind_named(std::string_view name) {
    for (auto [kind, each] : kNames)
        if (each == name) return kind;
    return std::nullopt;
}

bool supports(Kind kind) {
    switch (kind) {
        case Kind::matrix_unit: return tiles::has_matrix_unit();
        case Kind::dot: return tiles::has_dot();
        case Kind::widened: return available();
        case Kind::library:
        case Kind::emulated: return true;
    }
    return false;
}

Kind kind() { return chosen().load(std::memory_order_relaxed); }

void use(Kind kind) {
    TORCH_CHECK(supports(kind), "this processor has no products of the kind ", name(kind));
    std::atomic<Kind> &current = chosen();
    static const bool is_forced = forced().has_value();
    if (!is_forced) current.store(kind, std::memory_order_relaxed);
}

}  // namespace meno::product
