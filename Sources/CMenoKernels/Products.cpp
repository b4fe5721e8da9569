// Operators of products with frozen weights.

#include <c10/core/GradMode.h>

#include "Accelerator/DeviceLayers.h"
#include "Internal.h"
#include "Kernels/AdaptedProduct.h"
#include "Kernels/BlockQuantizing.h"
#include "Kernels/FrozenProduct.h"
#include "Kernels/Quantizing.h"
#include "Operators.h"

using namespace meno;

// By their types and devices.
bool product::takes(const at::Tensor &x, const Weight &weight) {
    if (!x.is_cpu() || !weight.device().is_cpu()) return false;
    if (weight.is_packed()) return x.scalar_type() == at::kFloat ? available() : x.scalar_type() == at::kBFloat16;
    if (available() && x.scalar_type() == at::kFloat) return has_kernel_type(weight.dense());
    return x.scalar_type() == at::kBFloat16 && weight.dense().scalar_type() == at::kBFloat16;
}

bool product::takes_gated(const at::Tensor &x, const at::Tensor &weight) {
    return x.is_cpu() && weight.is_cpu() && x.scalar_type() == at::kBFloat16 && weight.scalar_type() == at::kBFloat16 &&
           weight.dim() == 2 && weight.size(1) > 0 && has_tiles(x.numel() / weight.size(1), weight.size(1));
}

bool meno::takes_adapted(const at::Tensor &x, const product::Weight &weight) {
    if (x.device() != weight.device()) return false;
    bool alike = !weight.is_packed() && x.scalar_type() == weight.dense().scalar_type();
    if (device::serves(x)) return alike && device::takes(x);
    return x.is_cpu() && product::has_panels() && (product::takes(x, weight) || (alike && has_kernel_type(x)));
}

namespace {

// Activations [..., columns] as a matrix.
at::Tensor rows_of(const at::Tensor &x, int64_t columns) {
    TORCH_CHECK(
        x.is_contiguous() && x.dim() > 0 && x.size(-1) == columns, "expected contiguous values [..., ", columns, "], got ",
        x.sizes());
    return x.view({-1, columns});
}

// Rows of a result in the shape of x [..., columns].
at::Tensor shaped_like(const at::Tensor &x, const at::Tensor &rows) {
    auto shape = x.sizes().vec();
    shape.back() = rows.size(1);
    return rows.view(shape);
}

const at::Tensor &checked(const at::Tensor &weight) {
    TORCH_CHECK(weight.is_contiguous() && weight.dim() == 2, "expected a contiguous matrix, got ", weight.sizes());
    return weight;
}

product::Weight checked(at::TensorList parts, std::string_view format) {
    product::Weight weight(parts, format);
    if (!weight.is_packed()) checked(weight.dense());
    return weight;
}

Adapter adapter_of(
    const product::Weight &weight, const at::Tensor &down, const at::Tensor &up, double scaling, double dropout, int64_t key,
    const std::optional<at::Tensor> &row_numbers, const at::Tensor &rows) {
    auto fits = [&](const at::Tensor &each) {
        return each.device() == weight.device() && each.is_contiguous() && each.scalar_type() == at::kFloat && each.dim() == 2;
    };
    TORCH_CHECK(
        fits(down) && fits(up) && down.size(1) == weight.columns() && up.size(0) == weight.rows() && up.size(1) == down.size(0),
        "expected an adapter of a weight [", weight.rows(), ", ", weight.columns(), "] in contiguous float32 beside it, got ", down.sizes(), " and ",
        up.sizes());
    TORCH_CHECK(dropout <= 0 || row_numbers.has_value(), "dropout needs the numbers of the rows");
    Dropout drops = dropout > 0 ? dropout_of(dropout, key, *row_numbers, rows) : Dropout();
    return {down, up, static_cast<float>(scaling), drops};
}

}  // namespace

at::Tensor operators::frozen_product(
    const at::Tensor &x, at::TensorList weight, std::string_view format, bool transposed) {
    product::Weight w = checked(weight, format);
    TORCH_CHECK(product::takes(x, w), "this processor does not take such products");
    at::Tensor input = rows_of(x, transposed ? w.rows() : w.columns());
    at::Tensor output =
        product::empty_rows({input.size(0), transposed ? w.columns() : w.rows()}, input.options());
    if (output.numel() > 0) product::multiply(input, w, transposed, output);
    return shaped_like(x, output);
}

at::Tensor operators::gated_product(
    const at::Tensor &x, const at::Tensor &gate, const at::Tensor &up, std::string_view activation) {
    const at::Tensor &g = checked(gate), &u = checked(up);
    TORCH_CHECK(
        product::takes_gated(x, g) && product::takes_gated(x, u), "this processor does not take such products");
    TORCH_CHECK(g.sizes() == u.sizes(), "expected weights of one size, got ", g.sizes(), " and ", u.sizes());
    at::Tensor input = rows_of(x, g.size(1));
    at::Tensor output = product::empty_rows({input.size(0), g.size(0)}, input.options());
    if (output.numel() > 0)
        product::multiply_gated(input, g, u, gating(gate_kind(activation), input.scalar_type()), output);
    return shaped_like(x, output);
}

at::Tensor operators::unpack_rows(
    at::TensorList weight, std::string_view format, const std::optional<at::Tensor> &rows, at::ScalarType type) {
    product::Weight w = checked(weight, format);
    return (rows ? w.values_at(type, *rows) : w.values(type)).to(type);
}

void operators::quantize_four_bits_(
    const at::Tensor &values, const at::Tensor &bounds, const at::Tensor &numbers, const at::Tensor &codes,
    const at::Tensor &scales) {
    packing::quantize_four_bits(values, bounds, numbers, codes, scales);
}

void operators::quantize_eight_bits_(const at::Tensor &values, const at::Tensor &codes, const at::Tensor &scales) {
    packing::quantize_eight_bits(values, codes, scales);
}

void operators::quantize_blocks_(const at::Tensor &values, std::string_view format, const at::Tensor &blocks) {
    packing::quantize_blocks(values, format, blocks);
}

std::tuple<at::Tensor, at::Tensor> operators::adapted_product(
    const at::Tensor &x, at::TensorList weight, std::string_view format, const at::Tensor &down, const at::Tensor &up,
    double scaling, double dropout, int64_t key, const std::optional<at::Tensor> &row_numbers) {
    c10::NoGradGuard apart;
    product::Weight w = checked(weight, format);
    TORCH_CHECK(takes_adapted(x, w), "this device does not take such products");
    at::Tensor input = rows_of(x, w.columns()), low;
    Adapter adapter = adapter_of(w, down, up, scaling, dropout, key, row_numbers, input);
    at::Tensor y = device::serves(input) ? device::adapted(input, w.dense(), adapter, low)
                                         : product::adapted(input, w, adapter, low);
    return {shaped_like(x, y), low};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> operators::adapted_product_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &lowered, at::TensorList weight,
    std::string_view format, const at::Tensor &down, const at::Tensor &up, double scaling, double dropout, int64_t key,
    const std::optional<at::Tensor> &row_numbers, bool input_gradient) {
    c10::NoGradGuard apart;
    product::Weight w = checked(weight, format);
    TORCH_CHECK(takes_adapted(x, w), "this device does not take such products");
    const at::Tensor &low = lowered;
    at::Tensor input = rows_of(x, w.columns()), slope = rows_of(gradient, w.rows());
    Adapter adapter = adapter_of(w, down, up, scaling, dropout, key, row_numbers, input);
    TORCH_CHECK(
        slope.size(0) == input.size(0) && slope.scalar_type() == input.scalar_type() && slope.device() == input.device(),
        "expected a gradient like the activations ", input.sizes(), ", got ", slope.sizes());
    auto low_type = device::serves(input) ? input.scalar_type() : at::kFloat;
    TORCH_CHECK(
        low.device() == input.device() && low.is_contiguous() && low.scalar_type() == low_type && low.dim() == 2 &&
            low.size(0) == input.size(0) && low.size(1) == down.size(0),
        "expected what was lowered forward, of ", input.size(0), " rows, got ", low.sizes());
    auto gradients = device::serves(input)
                         ? device::adapted_backward(slope, input, low, w.dense(), adapter, input_gradient)
                         : product::adapted_backward(slope, input, low, w, adapter, input_gradient);
    return {
        input_gradient ? shaped_like(x, gradients.input) : at::Tensor(), std::move(gradients.down), std::move(gradients.up)};
}
