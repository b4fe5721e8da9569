// The softmax cross-entropy of a language-model head over one tile of logits, with its gradient in place.

#include <limits>

#include "../Accelerator/DeviceLayers.h"
#include "../Internal.h"
#include "../Operators.h"
#include "Parallel.h"
#include "Vector.h"

namespace {

// Sums run in float32 inside a block and in float64 across blocks.
constexpr int64_t kBlock = 4096;

template <class Element, bool capped>
MENO_INLINE float row_max(const typename Element::Storage *row, int64_t n, float cap, float inverse_cap) {
    float lanes[kLanes];
    for (auto &lane : lanes) lane = -std::numeric_limits<float>::infinity();
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) {
            float x = Element::load(row[i + l]);
            lanes[l] = lanes[l] > x ? lanes[l] : x;
        }
    float top = lanes[0];
    for (int64_t l = 1; l < kLanes; ++l) top = top > lanes[l] ? top : lanes[l];
    for (; i < n; ++i) {
        float x = Element::load(row[i]);
        top = top > x ? top : x;
    }
    return capped_logit<capped>(top, cap, inverse_cap);  // the cap is monotonic
}

template <class Element, bool capped>
MENO_INLINE double row_exp_sum(
    const typename Element::Storage *row, int64_t n, float top, float cap, float inverse_cap) {
    double total = 0;
    for (int64_t start = 0; start < n; start += kBlock) {
        int64_t end = start + kBlock < n ? start + kBlock : n;
        float lanes[kLanes] = {};
        int64_t i = start;
        for (; i + kLanes <= end; i += kLanes)
            for (int64_t l = 0; l < kLanes; ++l)
                lanes[l] += vector_exp(capped_logit<capped>(Element::load(row[i + l]), cap, inverse_cap) - top);
        double block = 0;
        for (float lane : lanes) block += lane;
        for (; i < end; ++i)
            block += vector_exp(capped_logit<capped>(Element::load(row[i]), cap, inverse_cap) - top);
        total += block;
    }
    return total;
}

template <class Element, bool capped>
MENO_INLINE double row_mean(const typename Element::Storage *row, int64_t n, float cap, float inverse_cap) {
    double total = 0;
    for (int64_t start = 0; start < n; start += kBlock) {
        int64_t end = start + kBlock < n ? start + kBlock : n;
        float lanes[kLanes] = {};
        int64_t i = start;
        for (; i + kLanes <= end; i += kLanes)
            for (int64_t l = 0; l < kLanes; ++l)
                lanes[l] += capped_logit<capped>(Element::load(row[i + l]), cap, inverse_cap);
        for (float lane : lanes) total += lane;
        for (; i < end; ++i) total += capped_logit<capped>(Element::load(row[i]), cap, inverse_cap);
    }
    return total / static_cast<double>(n);
}

// row ← (scale · exp(z − top) − smoothed) · dz/dx; the target's own part is left to the caller.
template <class Element, bool capped>
MENO_INLINE void row_gradient(
    typename Element::Storage *row, int64_t n, float top, float scale, float smoothed, float cap,
    float inverse_cap) {
    for (int64_t i = 0; i < n; ++i) {
        float z = capped_logit<capped>(Element::load(row[i]), cap, inverse_cap);
        float gradient = scale * vector_exp(z - top) - smoothed;
        if constexpr (capped) gradient *= 1.0f - (z * inverse_cap) * (z * inverse_cap);
        row[i] = Element::store(gradient);
    }
}

struct RowResult {
    float loss;
    bool correct;
};

template <class Element, bool capped>
MENO_INLINE RowResult process_row(
    typename Element::Storage *row, int64_t n, int64_t target, float cap, float smoothing, float scale) {
    float inverse_cap = capped ? 1.0f / cap : 0.0f;
    float top = row_max<Element, capped>(row, n, cap, inverse_cap);
    double sum = row_exp_sum<Element, capped>(row, n, top, cap, inverse_cap);
    float x = Element::load(row[target]);
    float z = capped_logit<capped>(x, cap, inverse_cap);
    // Of equal logits the first one is the argmax.
    bool correct = z >= top;
    for (int64_t i = 0; correct && i < target; ++i) correct = Element::load(row[i]) < x;
    // With smoothing, part of the target's probability is spread evenly over the vocabulary.
    double expected = z;
    if (smoothing != 0)
        expected = (1.0 - smoothing) * z + smoothing * row_mean<Element, capped>(row, n, cap, inverse_cap);
    if (scale != 0) {
        double spread = static_cast<double>(smoothing) / static_cast<double>(n);
        row_gradient<Element, capped>(
            row, n, top, static_cast<float>(scale / sum), static_cast<float>(scale * spread), cap, inverse_cap);
        float derivative = capped ? 1.0f - (z * inverse_cap) * (z * inverse_cap) : 1.0f;
        double probability = std::exp(static_cast<double>(z) - top) / sum;
        row[target] = Element::store(static_cast<float>(scale * (probability - (1.0 - smoothing) - spread) * derivative));
    }
    return {static_cast<float>(std::log(sum) + (static_cast<double>(top) - expected)), correct};
}

#define MENO_ROW_KERNEL(name, Element, capped)                                                             \
    MENO_VECTOR_CLONES RowResult name(                                                                     \
        void *row, int64_t n, int64_t target, float cap, float smoothing, float scale) {                   \
        return process_row<Element, capped>(                                                               \
            static_cast<Element::Storage *>(row), n, target, cap, smoothing, scale);                       \
    }
MENO_ROW_KERNEL(row_float32, Float32, false)
MENO_ROW_KERNEL(row_float32_capped, Float32, true)
MENO_ROW_KERNEL(row_bfloat16, BFloat16, false)
MENO_ROW_KERNEL(row_bfloat16_capped, BFloat16, true)

}  // namespace

void meno::operators::cross_entropy_(
    const at::Tensor &logits, const at::Tensor &targets, double softcap, double smoothing, double gradient_scale,
    const at::Tensor &losses, const at::Tensor &correct) {
    auto is_column = [&](const at::Tensor &each, c10::ScalarType type) {
        return each.device() == logits.device() && each.is_contiguous() && each.scalar_type() == type && each.dim() == 1 &&
               each.size(0) == logits.size(0);
    };
    TORCH_CHECK(
        has_fused_kernels(logits) && logits.dim() == 2 && is_column(targets, at::kLong) && is_column(losses, at::kFloat) &&
            is_column(correct, at::kByte),
        "expected contiguous logits [rows, vocabulary] in float32 or bfloat16, with a target, a loss and a byte for each row "
        "beside them, got ", logits.sizes(), ", ", targets.sizes(), ", ", losses.sizes(), " and ", correct.sizes());
    auto cap = static_cast<float>(softcap), epsilon = static_cast<float>(smoothing), scale = static_cast<float>(gradient_scale);
    if (device::serves(logits)) {
        TORCH_CHECK(scale == 0 || scale == 1, "a GPU's kernel takes no gradient scale of ", scale);
        return device::cross_entropy(logits, targets, cap, epsilon, scale != 0, losses, correct);
    }
    int64_t rows = logits.size(0), vocabulary = logits.size(1);
    auto *target = targets.const_data_ptr<int64_t>();
    for (int64_t r = 0; r < rows; ++r)
        TORCH_CHECK(
            target[r] >= 0 && target[r] < vocabulary, "target ", target[r], " is outside the vocabulary of ", vocabulary);
    bool half = logits.scalar_type() == at::kBFloat16;
    auto kernel = half ? (cap > 0 ? row_bfloat16_capped : row_bfloat16) : (cap > 0 ? row_float32_capped : row_float32);
    char *data = static_cast<char *>(logits.data_ptr());
    int64_t stride = vocabulary * logits.element_size();
    auto *loss = losses.data_ptr<float>();
    auto *is_correct = correct.data_ptr<uint8_t>();
    parallel(rows, [&](int64_t r) {
        auto result = kernel(data + r * stride, vocabulary, target[r], cap, epsilon, scale);
        loss[r] = result.loss;
        is_correct[r] = result.correct;
    });
}
