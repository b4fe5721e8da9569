#include "Accelerator/DeviceLayers.h"
#include "Internal.h"
#include "Kernels/AdaptedProduct.h"
#include "Kernels/FrozenProduct.h"
#include "Kernels/TileProduct.h"

using namespace meno;

namespace {

bool is_known(int32_t type) { return type == CT_FLOAT32 || type == CT_BFLOAT16; }

// Rows of a result in the shape of x [..., columns].
at::Tensor shaped_like(const at::Tensor &x, const at::Tensor &rows) {
    auto shape = x.sizes().vec();
    shape.back() = rows.size(1);
    return rows.view(shape);
}

// The adapted products of a GPU take inputs like this.
void check_on_device(const at::Tensor &x, const at::Tensor &weight, int64_t columns, const ct_adapter &adapter) {
    const at::Tensor &down = adapter.down->value, &up = adapter.up->value;
    auto is_matrix = [&](const at::Tensor &each, int64_t rows, int64_t columns, c10::ScalarType type) {
        return each.device() == x.device() && each.is_contiguous() && each.scalar_type() == type && each.dim() == 2 &&
               each.size(0) == rows && each.size(1) == columns;
    };
    TORCH_CHECK(
        device::takes(x) && x.is_contiguous() && x.dim() > 0 && x.size(-1) == columns && weight.dim() == 2 &&
            is_matrix(weight, weight.size(0), weight.size(1), x.scalar_type()) && down.dim() == 2 &&
            is_matrix(down, down.size(0), weight.size(1), at::kFloat) &&
            is_matrix(up, weight.size(0), down.size(0), at::kFloat),
        "expected contiguous values [..., ", columns, "], a weight of their type and a float32 adapter on one device, got ",
        x.sizes(), ", ", weight.sizes(), ", ", down.sizes(), " and ", up.sizes());
}

// Contiguous float32 values [..., last].
const float *values(const at::Tensor &tensor, int64_t last) {
    TORCH_CHECK(
        tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous() && tensor.dim() > 0 &&
            tensor.size(-1) == last,
        "expected contiguous float32 values [..., ", last, "] on the CPU, got ", tensor.scalar_type(), " ", tensor.sizes());
    return tensor.data_ptr<float>();
}

const at::Tensor &checked(const at::Tensor &weight) {
    TORCH_CHECK(
        has_vector_kernels(weight) && weight.dim() == 2, "expected a contiguous matrix in float32 or bfloat16 on the CPU");
    return weight;
}

// Activations [..., columns] as a matrix, in a type that they can meet the weight in.
at::Tensor rows_of(const at::Tensor &tensor, const at::Tensor &weight, int64_t columns) {
    bool fits = tensor.scalar_type() == weight.scalar_type() || (product::available() && tensor.scalar_type() == at::kFloat);
    TORCH_CHECK(
        has_vector_kernels(tensor) && fits && tensor.dim() > 0 && tensor.size(-1) == columns,
        "expected contiguous values [..., ", columns, "] on the CPU for a weight in ", weight.scalar_type(), ", got ",
        tensor.scalar_type(), " ", tensor.sizes());
    return tensor.view({-1, columns});
}

product::Adapter adapter_of(const ct_adapter &adapter, const at::Tensor &weight) {
    TORCH_CHECK(product::has_panels(), "this processor does not take products of this kind");
    const at::Tensor &down = adapter.down->value, &up = adapter.up->value;
    const float *lowering = values(down, weight.size(1)), *raising = values(up, down.size(0));
    TORCH_CHECK(up.size(0) == weight.size(0), "expected an adapter of ", weight.size(0), " outputs, got ", up.sizes());
    return {lowering, raising, down.size(0), adapter.scaling, {adapter.dropout, adapter.dropout_key}};
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
        const at::Tensor &w = checked(weight->value);
        at::Tensor input = rows_of(x->value, w, w.size(transposed ? 0 : 1));
        at::Tensor output = product::empty_rows({input.size(0), w.size(transposed ? 1 : 0)}, input.options());
        if (output.numel() > 0) product::multiply(input, w, transposed, output);
        *result = wrap(shaped_like(x->value, output));
    });
}

bool ct_has_gated_product(const ct_tensor *x, const ct_tensor *weight) {
    const at::Tensor &input = x->value, &w = weight->value;
    return input.is_cpu() && w.is_cpu() && input.scalar_type() == at::kBFloat16 && w.scalar_type() == at::kBFloat16 &&
           w.dim() == 2 && w.size(1) > 0 && product::has_tiles(input.numel() / w.size(1), w.size(1));
}

ct_status ct_gated_product(
    const ct_tensor *x, const ct_tensor *gate, const ct_tensor *up, ct_activation activation, ct_tensor **result) {
    return guarded([&] {
        TORCH_CHECK(ct_has_gated_product(x, gate) && ct_has_gated_product(x, up), "this processor does not take such products");
        const at::Tensor &g = checked(gate->value), &u = checked(up->value);
        TORCH_CHECK(g.sizes() == u.sizes(), "expected weights of one size, got ", g.sizes(), " and ", u.sizes());
        at::Tensor input = rows_of(x->value, g, g.size(1));
        at::Tensor output = product::empty_rows({input.size(0), g.size(0)}, input.options());
        if (output.numel() > 0)
            product::multiply_gated(input, g, u, gating(activation, input.scalar_type()), output);
        *result = wrap(shaped_like(x->value, output));
    });
}

bool ct_has_adapted_product(const ct_tensor *x, const ct_tensor *weight) {
    if (x->value.device() != weight->value.device()) return false;
    int32_t activations = ct_tensor_dtype(x), weights = ct_tensor_dtype(weight);
    if (x->value.is_cuda()) return activations == weights && device::takes(x->value);
    return x->value.is_cpu() && product::has_panels() &&
           (ct_has_product(activations, weights) || (activations == weights && is_known(weights)));
}

ct_status ct_adapted_product(
    const ct_tensor *x, const ct_tensor *weight, const ct_adapter *adapter, ct_tensor **output, ct_tensor **lowered) {
    return guarded([&] {
        if (x->value.is_cuda()) {
            at::NoGradGuard apart;
            const at::Tensor &w = weight->value;
            check_on_device(x->value, w, w.size(-1), *adapter);
            at::Tensor h;
            at::Tensor y = device::adapted(x->value.view({-1, w.size(1)}), w, *adapter, h);
            *output = wrap(shaped_like(x->value, y));
            *lowered = wrap(h);
            return;
        }
        const at::Tensor &w = checked(weight->value);
        auto low_rank = adapter_of(*adapter, w);
        at::Tensor input = rows_of(x->value, w, w.size(1));
        at::Tensor y = product::empty_rows({input.size(0), w.size(0)}, input.options());
        at::Tensor h = at::empty({input.size(0), low_rank.rank}, adapter->down->value.options());
        if (input.size(0) > 0) product::adapted(input, w, low_rank, h.data_ptr<float>(), y);
        *output = wrap(shaped_like(x->value, y));
        *lowered = wrap(h);
    });
}

ct_status ct_adapted_product_backward(
    const ct_tensor *gradient, const ct_tensor *x, const ct_tensor *lowered, const ct_tensor *weight,
    const ct_adapter *adapter, ct_tensor **input_gradient, ct_tensor **down_gradient, ct_tensor **up_gradient) {
    return guarded([&] {
        if (x->value.is_cuda()) {
            at::NoGradGuard apart;
            const at::Tensor &w = weight->value;
            check_on_device(x->value, w, w.size(-1), *adapter);
            check_on_device(gradient->value, w, w.size(0), *adapter);
            auto gradients = device::adapted_backward(
                gradient->value.view({-1, w.size(0)}), x->value.view({-1, w.size(1)}), lowered->value, w, *adapter,
                input_gradient != nullptr);
            if (input_gradient) *input_gradient = wrap(shaped_like(x->value, gradients.input));
            *down_gradient = wrap(gradients.down);
            *up_gradient = wrap(gradients.up);
            return;
        }
        const at::Tensor &w = checked(weight->value);
        auto low_rank = adapter_of(*adapter, w);
        at::Tensor input = rows_of(x->value, w, w.size(1)), slope = rows_of(gradient->value, w, w.size(0));
        const float *h = values(lowered->value, low_rank.rank);
        TORCH_CHECK(
            slope.size(0) == input.size(0) && lowered->value.size(0) == input.size(0), "expected ", input.size(0),
            " rows of a gradient and of what was lowered, got ", slope.size(0), " and ", lowered->value.size(0));
        at::Tensor dx = input_gradient ? product::empty_rows(input.sizes(), input.options()) : at::Tensor();
        at::Tensor down = at::empty_like(adapter->down->value), up = at::empty_like(adapter->up->value);
        product::adapted_backward(
            slope, input, h, w, low_rank, dx, down.data_ptr<float>(), up.data_ptr<float>());
        if (input_gradient) *input_gradient = wrap(shaped_like(x->value, dx));
        *down_gradient = wrap(down);
        *up_gradient = wrap(up);
    });
}
