// The softmax cross-entropy of a language-model head over one tile of logits, with its gradient in place.

#include <limits>

#include "../Internal.h"
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

ct_status ct_head_tile(
    ct_tensor *logits, const int64_t *targets, int64_t rows, float softcap, float smoothing, float gradient_scale,
    float *loss, uint8_t *correct) {
    return meno::guarded([&] {
        const at::Tensor &tile = logits->value;
        TORCH_CHECK(
            tile.is_cpu() && tile.is_contiguous() && tile.dim() == 2 && tile.size(0) == rows,
            "expected contiguous logits [", rows, ", vocabulary] on the CPU, got ", tile.sizes());
        int64_t vocabulary = tile.size(1);
        for (int64_t r = 0; r < rows; ++r)
            TORCH_CHECK(
                targets[r] >= 0 && targets[r] < vocabulary, "target ", targets[r], " is outside the vocabulary of ",
                vocabulary);
        bool half = tile.scalar_type() == at::kBFloat16;
        TORCH_CHECK(half || tile.scalar_type() == at::kFloat, "expected bfloat16 or float32 logits");
        auto kernel = half ? (softcap > 0 ? row_bfloat16_capped : row_bfloat16)
                           : (softcap > 0 ? row_float32_capped : row_float32);
        char *data = static_cast<char *>(tile.data_ptr());
        int64_t stride = vocabulary * tile.element_size();
        meno::parallel(rows, [&](int64_t r) {
            auto result = kernel(data + r * stride, vocabulary, targets[r], softcap, smoothing, gradient_scale);
            loss[r] = result.loss;
            correct[r] = result.correct;
        });
    });
}
