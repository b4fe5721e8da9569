// The softmax cross-entropy of a language-model head over one tile of logits, with its gradient in place.
//
// Plain loops over fixed-width lanes: the compiler turns them into vector code for each instruction set
// named below, and the loader picks one. exp is a polynomial, since libm's stops vectorisation.

#include <ATen/Parallel.h>

#include <bit>
#include <cmath>
#include <limits>

#include "Internal.h"

#if defined(__x86_64__) && defined(__linux__)
#define MENO_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MENO_VECTOR_CLONES
#endif
#define MENO_INLINE static inline __attribute__((always_inline))

namespace {

constexpr int64_t kLanes = 16;
// Sums run in float32 inside a block and in float64 across blocks.
constexpr int64_t kBlock = 4096;

struct Float32 {
    using Storage = float;
    MENO_INLINE float load(float x) { return x; }
    MENO_INLINE float store(float x) { return x; }
};

struct BFloat16 {
    using Storage = uint16_t;
    MENO_INLINE float load(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }
    MENO_INLINE uint16_t store(float x) {  // to nearest, ties to even; the values here are finite
        uint32_t bits = std::bit_cast<uint32_t>(x);
        return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
    }
};

// exp within 2 units in the last place on [-87, 88], 0 below, exp(88) above. Cephes' reduction and minimax polynomial.
MENO_INLINE float vector_exp(float x) {
    bool vanishes = x < -87.0f;
    x = vanishes ? -87.0f : (x > 88.0f ? 88.0f : x);
    constexpr float shift = 12582912.0f;  // 1.5 · 2^23: adding it rounds to the nearest integer
    float n = (x * 1.44269504088896341f + shift) - shift;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t exponent = static_cast<int32_t>(n) + 127;
    return vanishes ? 0.0f : p * std::bit_cast<float>(exponent << 23);
}

template <bool capped>
MENO_INLINE float capped_logit(float x, float cap, float inverse_cap) {
    if constexpr (!capped) return x;
    float t = vector_exp(2.0f * x * inverse_cap);
    return cap * (1.0f - 2.0f / (t + 1.0f));
}

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
        at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r) {
                auto result = kernel(data + r * stride, vocabulary, targets[r], softcap, smoothing, gradient_scale);
                loss[r] = result.loss;
                correct[r] = result.correct;
            }
        });
    });
}
