#include "Accelerator/DeviceLayers.h"
#include "Internal.h"
#include "Kernels/AdaptedProduct.h"
#include "Kernels/FrozenProduct.h"
#include "Kernels/TileProduct.h"

using namespace meno;

namespace {

bool is_known(int32_t type) { return type == CT_FLOAT32 || type == CT_BFLOAT16; }

// What takes activations and weights, by their types and devices.
bool has_product(const at::Tensor &x, const at::Tensor &weight) {
    return x.is_cpu() && weight.is_cpu() &&
           ct_has_product(static_cast<int32_t>(x.scalar_type()), static_cast<int32_t>(weight.scalar_type()));
}

bool has_adapted_product(const at::Tensor &x, const at::Tensor &weight) {
    if (x.device() != weight.device()) return false;
    bool alike = x.scalar_type() == weight.scalar_type();
    if (device::serves(x)) return alike && device::takes(x);
    return x.is_cpu() && product::has_panels() && (has_product(x, weight) || (alike && has_kernel_type(x)));
}

bool has_gated_product(const at::Tensor &x, const at::Tensor &weight) {
    return x.is_cpu() && weight.is_cpu() && x.scalar_type() == at::kBFloat16 && weight.scalar_type() == at::kBFloat16 &&
           weight.dim() == 2 && weight.size(1) > 0 && product::has_tiles(x.numel() / weight.size(1), weight.size(1));
}

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

void check(const ct_adapter &adapter, const at::Tensor &weight) {
    const at::Tensor &down = adapter.down->value, &up = adapter.up->value;
    auto fits = [&](const at::Tensor &each) {
        return each.device() == weight.device() && each.is_contiguous() && each.scalar_type() == at::kFloat && each.dim() == 2;
    };
    TORCH_CHECK(
        fits(down) && fits(up) && down.size(1) == weight.size(1) && up.size(0) == weight.size(0) && up.size(1) == down.size(0),
        "expected an adapter of a weight ", weight.sizes(), " in contiguous float32 beside it, got ", down.sizes(), " and ",
        up.sizes());
}

}  // namespace

bool ct_has_own_products(void) { return product::available(); }

bool ct_widens_weights(void) { return product::widens(); }

bool ct_has_tile_products(void) { return tiles::available(); }

bool ct_has_product(int32_t activations, int32_t weights) {
    if (product::available() && activations == CT_FLOAT32) return is_known(weights);
    return activations == CT_BFLOAT16 && weights == CT_BFLOAT16;
}

ct_status ct_product(const ct_tensor *x, const ct_tensor *weight, bool transposed, ct_tensor **result) {
    return guarded([&] {
        TORCH_CHECK(has_product(x->value, weight->value), "this processor does not take such products");
        const at::Tensor &w = checked(weight->value);
        at::Tensor input = rows_of(x->value, w.size(transposed ? 0 : 1));
        at::Tensor output = product::empty_rows({input.size(0), w.size(transposed ? 1 : 0)}, input.options());
        if (output.numel() > 0) product::multiply(input, w, transposed, output);
        *result = wrap(shaped_like(x->value, output));
    });
}

bool ct_has_gated_product(const ct_tensor *x, const ct_tensor *weight) { return has_gated_product(x->value, weight->value); }

ct_status ct_gated_product(
    const ct_tensor *x, const ct_tensor *gate, const ct_tensor *up, ct_activation activation, ct_tensor **result) {
    return guarded([&] {
        const at::Tensor &g = checked(gate->value), &u = checked(up->value);
        TORCH_CHECK(
            has_gated_product(x->value, g) && has_gated_product(x->value, u), "this processor does not take such products");
        TORCH_CHECK(g.sizes() == u.sizes(), "expected weights of one size, got ", g.sizes(), " and ", u.sizes());
        at::Tensor input = rows_of(x->value, g.size(1));
        at::Tensor output = product::empty_rows({input.size(0), g.size(0)}, input.options());
        if (output.numel() > 0)
            product::multiply_gated(input, g, u, gating(activation, input.scalar_type()), output);
        *result = wrap(shaped_like(x->value, output));
    });
}

bool ct_has_adapted_product(const ct_tensor *x, const ct_tensor *weight) {
    return has_adapted_product(x->value, weight->value);
}

ct_status ct_adapted_product(
    const ct_tensor *x, const ct_tensor *weight, const ct_adapter *adapter, ct_tensor **output, ct_tensor **lowered) {
    return guarded([&] {
        at::NoGradGuard apart;
        TORCH_CHECK(has_adapted_product(x->value, weight->value), "this device does not take such products");
        const at::Tensor &w = checked(weight->value);
        check(*adapter, w);
        at::Tensor input = rows_of(x->value, w.size(1)), low;
        at::Tensor y = (device::serves(input) ? device::adapted : product::adapted)(input, w, *adapter, low);
        *output = wrap(shaped_like(x->value, y));
        *lowered = wrap(low);
    });
}

ct_status ct_adapted_product_backward(
    const ct_tensor *gradient, const ct_tensor *x, const ct_tensor *lowered, const ct_tensor *weight,
    const ct_adapter *adapter, ct_tensor **input_gradient, ct_tensor **down_gradient, ct_tensor **up_gradient) {
    return guarded([&] {
        at::NoGradGuard apart;
        TORCH_CHECK(has_adapted_product(x->value, weight->value), "this device does not take such products");
        const at::Tensor &w = checked(weight->value), &low = lowered->value;
        check(*adapter, w);
        at::Tensor input = rows_of(x->value, w.size(1)), slope = rows_of(gradient->value, w.size(0));
        TORCH_CHECK(
            slope.size(0) == input.size(0) && slope.scalar_type() == input.scalar_type() && slope.device() == input.device(),
            "expected a gradient like the activations ", input.sizes(), ", got ", slope.sizes());
        auto low_type = device::serves(input) ? input.scalar_type() : at::kFloat;
        TORCH_CHECK(
            low.device() == input.device() && low.is_contiguous() && low.scalar_type() == low_type && low.dim() == 2 &&
                low.size(0) == input.size(0) && low.size(1) == adapter->down->value.size(0),
            "expected what was lowered forward, of ", input.size(0), " rows, got ", low.sizes());
        auto gradients = (device::serves(input) ? device::adapted_backward : product::adapted_backward)(
            slope, input, low, w, *adapter, input_gradient != nullptr);
        if (input_gradient) *input_gradient = wrap(shaped_like(x->value, gradients.input));
        *down_gradient = wrap(gradients.down);
        *up_gradient = wrap(gradients.up);
    });
}
