#include "Internal.h"
#include "Kernels/AdaptedProduct.h"

using namespace meno;

bool ct_has_own_products(void) { return product::available(); }

namespace {

product::Matrix frozen(const at::Tensor &matrix) {
    TORCH_CHECK(product::available(), "this processor does not take products of this kind");
    TORCH_CHECK(
        matrix.is_cpu() && matrix.is_contiguous() && matrix.dim() == 2 &&
            (matrix.scalar_type() == at::kFloat || matrix.scalar_type() == at::kBFloat16),
        "expected a contiguous matrix in float32 or bfloat16 on the CPU");
    return product::matrix_of(matrix);
}

const float *values(const at::Tensor &tensor, int64_t last) {
    TORCH_CHECK(
        tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous() && tensor.dim() > 0 &&
            tensor.size(-1) == last,
        "expected contiguous float32 values [..., ", last, "] on the CPU, got ", tensor.scalar_type(), " ", tensor.sizes());
    return tensor.data_ptr<float>();
}

at::Tensor result_like(const at::Tensor &x, int64_t last) {
    auto shape = x.sizes().vec();
    shape.back() = last;
    return at::empty(shape, x.options());
}

product::Adapter adapter_of(const ct_adapter &adapter, const product::Matrix &weight) {
    const at::Tensor &down = adapter.down->value, &up = adapter.up->value;
    const float *lowering = values(down, weight.columns), *raising = values(up, down.size(0));
    TORCH_CHECK(up.size(0) == weight.rows, "expected an adapter of ", weight.rows, " outputs, got ", up.sizes());
    return {lowering, raising, down.size(0), adapter.scaling, {adapter.dropout, adapter.dropout_key}};
}

}  // namespace

ct_status ct_product(const ct_tensor *x, const ct_tensor *weight, bool transposed, ct_tensor **result) {
    return guarded([&] {
        auto matrix = frozen(weight->value);
        int64_t depth = transposed ? matrix.rows : matrix.columns;
        const float *input = values(x->value, depth);
        at::Tensor output = result_like(x->value, transposed ? matrix.columns : matrix.rows);
        if (output.numel() > 0)
            product::multiply(input, x->value.numel() / depth, matrix, transposed, output.data_ptr<float>());
        *result = wrap(output);
    });
}

ct_status ct_adapted_product(
    const ct_tensor *x, const ct_tensor *weight, const ct_adapter *adapter, ct_tensor **output, ct_tensor **lowered) {
    return guarded([&] {
        auto matrix = frozen(weight->value);
        auto low_rank = adapter_of(*adapter, matrix);
        const float *input = values(x->value, matrix.columns);
        int64_t m = x->value.numel() / matrix.columns;
        at::Tensor y = result_like(x->value, matrix.rows), h = result_like(x->value, low_rank.rank);
        if (m > 0) product::adapted(input, m, matrix, low_rank, h.data_ptr<float>(), y.data_ptr<float>());
        *output = wrap(y);
        *lowered = wrap(h);
    });
}

ct_status ct_adapted_product_backward(
    const ct_tensor *gradient, const ct_tensor *x, const ct_tensor *lowered, const ct_tensor *weight,
    const ct_adapter *adapter, ct_tensor **input_gradient, ct_tensor **down_gradient, ct_tensor **up_gradient) {
    return guarded([&] {
        auto matrix = frozen(weight->value);
        auto low_rank = adapter_of(*adapter, matrix);
        const float *input = values(x->value, matrix.columns), *slope = values(gradient->value, matrix.rows);
        const float *h = values(lowered->value, low_rank.rank);
        at::Tensor dx = input_gradient ? at::empty_like(x->value) : at::Tensor();
        at::Tensor down = at::empty_like(adapter->down->value), up = at::empty_like(adapter->up->value);
        product::adapted_backward(
            slope, input, h, x->value.numel() / matrix.columns, matrix, low_rank,
            input_gradient ? dx.data_ptr<float>() : nullptr, down.data_ptr<float>(), up.data_ptr<float>());
        if (input_gradient) *input_gradient = wrap(dx);
        *down_gradient = wrap(down);
        *up_gradient = wrap(up);
    });
}
