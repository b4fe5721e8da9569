// Root mean square normalisation, forward and with respect to its input.

#include "../Accelerator/DeviceLayers.h"
#include "../Internal.h"
#include "../Operators.h"
#include "FrozenProduct.h"
#include "Parallel.h"
#include "Vector.h"

namespace {

// Rows that are worth a thread of their own, in elements.
constexpr int64_t kGrain = 1 << 14;

template <class Element>
MENO_INLINE float normalize(
    const typename Element::Storage *x, const float *weight, int64_t n, float offset, float epsilon,
    typename Element::Storage *y) {
    float squares = lane_sum(n, [&](int64_t i) __attribute__((always_inline)) {
        float value = Element::load(x[i]);
        return value * value;
    });
    float scale = 1.0f / std::sqrt(squares / static_cast<float>(n) + epsilon);
    for (int64_t i = 0; i < n; ++i) y[i] = Element::store(Element::load(x[i]) * scale * (weight[i] + offset));
    return scale;
}

// dx = s · (g · w − x · s² · mean(g · w · x)), s = 1 / √(mean(x²) + ε).
template <class Element>
MENO_INLINE void differentiate(
    const typename Element::Storage *gradient, const typename Element::Storage *x, const float *weight, int64_t n,
    float offset, float scale, typename Element::Storage *result) {
    float product = lane_sum(n, [&](int64_t i) __attribute__((always_inline)) {
        return Element::load(gradient[i]) * (weight[i] + offset) * Element::load(x[i]);
    });
    float share = product / static_cast<float>(n) * scale * scale;
    for (int64_t i = 0; i < n; ++i)
        result[i] = Element::store(
            scale * (Element::load(gradient[i]) * (weight[i] + offset) - Element::load(x[i]) * share));
}

#define MENO_NORM_KERNELS(suffix, Element)                                                                            \
    MENO_VECTOR_CLONES float normalize_##suffix(                                                                      \
        const void *x, const float *weight, int64_t n, float offset, float epsilon, void *y) {                        \
        using Storage = Element::Storage;                                                                             \
        return normalize<Element>(                                                                                    \
            static_cast<const Storage *>(x), weight, n, offset, epsilon, static_cast<Storage *>(y));                  \
    }                                                                                                                 \
    MENO_VECTOR_CLONES void differentiate_##suffix(                                                                   \
        const void *gradient, const void *x, const float *weight, int64_t n, float offset, float scale,               \
        void *result) {                                                                                               \
        using Storage = Element::Storage;                                                                             \
        differentiate<Element>(                                                                                       \
            static_cast<const Storage *>(gradient), static_cast<const Storage *>(x), weight, n, offset, scale,        \
            static_cast<Storage *>(result));                                                                          \
    }
MENO_NORM_KERNELS(float32, Float32)
MENO_NORM_KERNELS(bfloat16, BFloat16)

void check(const at::Tensor &x, const at::Tensor &weight) {
    TORCH_CHECK(
        meno::has_fused_kernels(x) && weight.device() == x.device() && weight.scalar_type() == at::kFloat &&
            weight.is_contiguous() && weight.dim() == 1 && x.dim() > 0 && x.size(-1) == weight.size(0),
        "expected contiguous input [..., size] in float32 or bfloat16 and a float32 weight [size] beside it, got ",
        x.sizes(), " and ", weight.sizes());
}

int64_t row_count(const at::Tensor &x, int64_t n) { return n > 0 ? x.numel() / n : 0; }

int64_t grain(int64_t n) { return kGrain / std::max<int64_t>(1, n); }

at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight, float offset, float epsilon, at::Tensor &scales) {
    int64_t n = weight.size(0), rows = row_count(x, n), stride = n * x.element_size();
    at::Tensor y = meno::product::empty_rows(x.sizes(), x.options());
    scales = at::empty({rows}, weight.options());
    auto kernel = x.scalar_type() == at::kFloat ? normalize_float32 : normalize_bfloat16;
    auto *from = static_cast<const char *>(x.data_ptr());
    auto *to = static_cast<char *>(y.data_ptr());
    auto *w = weight.data_ptr<float>(), *s = scales.data_ptr<float>();
    meno::parallel_rows(rows, grain(n), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) s[r] = kernel(from + r * stride, w, n, offset, epsilon, to + r * stride);
    });
    return y;
}

at::Tensor rms_norm_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &weight, const at::Tensor &scales, float offset) {
    int64_t n = weight.size(0), stride = n * x.element_size();
    at::Tensor result = meno::product::empty_rows(x.sizes(), x.options());
    auto kernel = x.scalar_type() == at::kFloat ? differentiate_float32 : differentiate_bfloat16;
    auto *slope = static_cast<const char *>(gradient.data_ptr());
    auto *from = static_cast<const char *>(x.data_ptr());
    auto *to = static_cast<char *>(result.data_ptr());
    auto *w = weight.data_ptr<float>(), *s = scales.data_ptr<float>();
    meno::parallel_rows(row_count(x, n), grain(n), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r)
            kernel(slope + r * stride, from + r * stride, w, n, offset, s[r], to + r * stride);
    });
    return result;
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> meno::operators::rms_norm(
    const at::Tensor &x, const at::Tensor &weight, double offset, double epsilon) {
    check(x, weight);
    at::Tensor scales;
    at::Tensor y = (device::serves(x) ? device::rms_norm : ::rms_norm)(
        x, weight, static_cast<float>(offset), static_cast<float>(epsilon), scales);
    return {y, scales};
}

at::Tensor meno::operators::rms_norm_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &weight, const at::Tensor &scales, double offset) {
    check(x, weight);
    TORCH_CHECK(
        gradient.is_contiguous() && gradient.sizes() == x.sizes() && gradient.scalar_type() == x.scalar_type() &&
            gradient.device() == x.device(),
        "expected a contiguous gradient like the input ", x.sizes(), ", got ", gradient.sizes());
    int64_t rows = row_count(x, weight.size(0));
    TORCH_CHECK(
        scales.numel() == rows && scales.device() == x.device() && scales.is_contiguous() &&
            scales.scalar_type() == at::kFloat,
        "expected the scales of ", rows, " rows in float32 beside them, got ", scales.sizes());
    auto backward = device::serves(x) ? device::rms_norm_backward : ::rms_norm_backward;
    return backward(gradient, x, weight, scales, static_cast<float>(offset));
}
