// Rotary position embeddings in the half-split form: each pair (x[i], x[i + d/2]) is turned by the angle of its position.

#include "../Accelerator/DeviceLayers.h"
#include "../Internal.h"
#include "../Operators.h"
#include "FrozenProduct.h"
#include "Parallel.h"
#include "Vector.h"

namespace {

// One head of one token. With −sin it is the inverse, which is also the derivative's transpose.
template <class Element>
MENO_INLINE void turn(
    const typename Element::Storage *x, const float *cos, const float *sin, float sign, int64_t half,
    typename Element::Storage *y) {
    for (int64_t i = 0; i < half; ++i) {
        float first = Element::load(x[i]), second = Element::load(x[half + i]);
        y[i] = Element::store(first * cos[i] - sign * (second * sin[i]));
        y[half + i] = Element::store(second * cos[half + i] + sign * (first * sin[half + i]));
    }
}

MENO_VECTOR_CLONES void rotate_float32(const void *x, const float *cos, const float *sin, float sign, int64_t half, void *y) {
    turn<Float32>(static_cast<const float *>(x), cos, sin, sign, half, static_cast<float *>(y));
}
MENO_VECTOR_CLONES void rotate_bfloat16(const void *x, const float *cos, const float *sin, float sign, int64_t half, void *y) {
    turn<BFloat16>(static_cast<const uint16_t *>(x), cos, sin, sign, half, static_cast<uint16_t *>(y));
}

at::Tensor rotate(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines, bool inverse) {
    int64_t tokens = x.size(0), heads = x.size(1), size = x.size(2), stride = size * x.element_size();
    at::Tensor y = meno::product::empty_rows(x.sizes(), x.options());
    auto kernel = x.scalar_type() == at::kFloat ? rotate_float32 : rotate_bfloat16;
    auto *from = static_cast<const char *>(x.data_ptr());
    auto *to = static_cast<char *>(y.data_ptr());
    auto *c = cosines.data_ptr<float>(), *s = sines.data_ptr<float>();
    meno::parallel_rows(tokens, 16, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t)
            for (int64_t h = t * heads; h < (t + 1) * heads; ++h)
                kernel(from + h * stride, c + t * size, s + t * size, inverse ? -1.0f : 1.0f, size / 2, to + h * stride);
    });
    return y;
}

}  // namespace

at::Tensor meno::operators::rotate(
    const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines, bool inverse) {
    auto is_table = [&](const at::Tensor &table) {
        return table.device() == x.device() && table.is_contiguous() && table.scalar_type() == at::kFloat &&
               table.numel() == x.size(0) * x.size(2);
    };
    TORCH_CHECK(
        has_fused_kernels(x) && x.dim() == 3 && x.size(2) % 2 == 0 && is_table(cosines) && is_table(sines),
        "expected contiguous heads [tokens, heads, size] in float32 or bfloat16 and float32 tables [tokens, size] "
        "beside them, got ", x.sizes(), " and ", cosines.sizes());
    return (device::serves(x) ? device::rotate : ::rotate)(x, cosines, sines, inverse);
}
