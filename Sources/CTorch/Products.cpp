#include "Internal.h"
#include "Kernels/Product.h"

using namespace meno;

bool ct_has_own_products(void) { return product::available(); }

ct_status ct_product(const ct_tensor *x, const ct_tensor *weight, bool transposed, ct_tensor **result) {
    return guarded([&] {
        const at::Tensor &input = x->value, &matrix = weight->value;
        TORCH_CHECK(product::available(), "this processor does not take products of this kind");
        TORCH_CHECK(
            input.is_cpu() && matrix.is_cpu() && input.scalar_type() == at::kFloat && input.is_contiguous() &&
                matrix.is_contiguous() && matrix.dim() == 2 &&
                (matrix.scalar_type() == at::kFloat || matrix.scalar_type() == at::kBFloat16),
            "expected contiguous float32 input and a matrix in float32 or bfloat16 on the CPU");
        int64_t depth = matrix.size(transposed ? 0 : 1), width = matrix.size(transposed ? 1 : 0);
        TORCH_CHECK(
            input.dim() > 0 && input.size(-1) == depth, "expected input [..., ", depth, "], got ", input.sizes());
        auto shape = input.sizes().vec();
        shape.back() = width;
        at::Tensor output = at::empty(shape, input.options());
        auto type = matrix.scalar_type() == at::kFloat ? product::Type::float32 : product::Type::bfloat16;
        if (output.numel() > 0)
            product::multiply(
                input.data_ptr<float>(), input.numel() / depth,
                {matrix.data_ptr(), type, matrix.size(0), matrix.size(1)}, transposed, output.data_ptr<float>());
        *result = wrap(output);
    });
}
