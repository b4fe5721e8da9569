// Attention of a few new tokens to those before them, whose keys and values are cached: as text is generated.

#include <cmath>
#include <vector>

#include "../Internal.h"
#include "../Operators.h"
#include "Conversion.h"
#include "Parallel.h"
#include "Softmax.h"

namespace {

// Keys and values are read once for each head, straight from the cache: nothing is packed for so few queries.
template <class Number>
MENO_INLINE void attend_to(
    const float *query, const typename Number::Storage *keys, const typename Number::Storage *values, int64_t stride,
    int64_t count, int64_t size, float scale, float cap, float *scores, float *out) {
    for (int64_t j = 0; j < count; ++j) {
        constexpr int64_t lanes = 2 * kLanes;
        float sums[lanes] = {};
        int64_t p = 0;
        for (; p + lanes <= size; p += lanes)
            for (int64_t l = 0; l < lanes; ++l) sums[l] += query[p + l] * Number::load(keys[j * stride + p + l]);
        for (int64_t l = 0; p + l < size; ++l) sums[l] += query[p + l] * Number::load(keys[j * stride + p + l]);
        scores[j] = scale * pairwise_sum<lanes>(sums);
    }
    if (cap > 0) cap_row(scores, count, cap);
    double sum = plain_exponents(scores, count, top_of(scores, count)).sum;
    for (int64_t p = 0; p < size; ++p) out[p] = 0;
    for (int64_t j = 0; j < count; ++j)
        for (int64_t p = 0; p < size; ++p) out[p] += scores[j] * Number::load(values[j * stride + p]);
    scale_row(out, size, static_cast<float>(1 / sum));
}

MENO_VECTOR_CLONES void attend(
    const float *query, const float *keys, const float *values, int64_t stride, int64_t count, int64_t size, float scale,
    float cap, float *scores, float *out) {
    attend_to<Float32>(query, keys, values, stride, count, size, scale, cap, scores, out);
}
MENO_VECTOR_CLONES void attend(
    const float *query, const uint16_t *keys, const uint16_t *values, int64_t stride, int64_t count, int64_t size, float scale,
    float cap, float *scores, float *out) {
    attend_to<BFloat16>(query, keys, values, stride, count, size, scale, cap, scores, out);
}

template <class Element>
void attend_all(
    const at::Tensor &query, const at::Tensor &key, const at::Tensor &value, const at::Tensor &keys,
    const at::Tensor &values, int64_t before, int64_t window, float scale, float cap, const at::Tensor &output) {
    int64_t tokens = query.size(0), heads = query.size(1), size = query.size(2), key_heads = key.size(1);
    int64_t stride = key_heads * size;
    auto *cached_keys = static_cast<Element *>(keys.data_ptr()), *cached_values = static_cast<Element *>(values.data_ptr());
    convert(key.const_data_ptr<float>(), tokens * stride, cached_keys + before * stride);
    convert(value.const_data_ptr<float>(), tokens * stride, cached_values + before * stride);
    auto attend_head = [&](int64_t item) {
        int64_t token = item / heads, head = item % heads, end = before + token + 1;
        int64_t first = window > 0 ? std::max<int64_t>(0, end - window) : 0;
        int64_t place = first * stride + head / (heads / key_heads) * size;
        thread_local std::vector<float> scores;
        if (static_cast<int64_t>(scores.size()) < end - first) scores.resize(static_cast<size_t>(end - first));
        attend(
            query.const_data_ptr<float>() + item * size, cached_keys + place, cached_values + place, stride, end - first, size,
            scale, cap, scores.data(), output.data_ptr<float>() + item * size);
    };
    // Below this, starting threads takes longer than the work.
    constexpr int64_t least = 1 << 17;
    if (tokens * heads * size * before < least)
        for (int64_t item = 0; item < tokens * heads; ++item) attend_head(item);
    else
        meno::parallel(tokens * heads, attend_head);
}

}  // namespace

at::Tensor meno::operators::cached_attention(
    const at::Tensor &query, const at::Tensor &key, const at::Tensor &value, const at::Tensor &keys,
    const at::Tensor &values, int64_t before, int64_t window, double scale, double softcap) {
    auto is_new = [&](const at::Tensor &x) {
        return x.is_cpu() && x.is_contiguous() && x.dim() == 3 && x.scalar_type() == at::kFloat && x.size(0) == query.size(0) &&
               x.size(2) == query.size(2);
    };
    TORCH_CHECK(
        is_new(query) && is_new(key) && is_new(value) && key.size(1) == value.size(1) && key.size(1) > 0 &&
            query.size(1) % key.size(1) == 0,
        "expected queries, keys and values [tokens, heads, size] in float32, got ", query.sizes(), ", ", key.sizes(), " and ",
        value.sizes());
    auto is_cache = [&](const at::Tensor &x) {
        return x.is_cpu() && x.is_contiguous() && x.dim() == 3 && has_kernel_type(x) && x.size(1) == key.size(1) &&
               x.size(2) == key.size(2) && before >= 0 && before + query.size(0) <= x.size(0);
    };
    TORCH_CHECK(
        is_cache(keys) && is_cache(values) && keys.scalar_type() == values.scalar_type(),
        "expected caches with room for ", query.size(0), " tokens behind ", before, ", got ", keys.sizes(), " and ",
        values.sizes());
    at::Tensor output = at::empty_like(query);
    auto attend = keys.scalar_type() == at::kFloat ? attend_all<float> : attend_all<uint16_t>;
    attend(
        query, key, value, keys, values, before, window, static_cast<float>(scale), static_cast<float>(softcap), output);
    return output;
}
