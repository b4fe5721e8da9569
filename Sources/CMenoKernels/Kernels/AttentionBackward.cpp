// The gradients of causal attention; see Attention.h.

#include "Attention.h"
#include "Transpose.h"

namespace {

template <class Number>
MENO_INLINE float dot(const typename Number::Storage *a, const typename Number::Storage *b, int64_t n) {
    return lane_sum(n, [&](int64_t i) __attribute__((always_inline)) { return Number::load(a[i]) * Number::load(b[i]); });
}
MENO_VECTOR_CLONES float product_sum(const float *a, const float *b, int64_t n) { return dot<Float32>(a, b, n); }
MENO_VECTOR_CLONES float product_sum(const uint16_t *a, const uint16_t *b, int64_t n) { return dot<BFloat16>(a, b, n); }

// For a key and some queries: `scores` become p = exp(z − lse), and `slopes`, which are dp, become p · (dp − δ) · dz/ds.
template <bool capped>
MENO_INLINE void differentiate(
    float *scores, float *slopes, const float *lse, const float *delta, int64_t n, float scale, float cap) {
    float inverse = capped ? 1.0f / cap : 0.0f;
    for (int64_t i = 0; i < n; ++i) {
        float z = capped_logit<capped>(scores[i] * scale, cap, inverse);
        float p = vector_exp(z - lse[i]), slope = p * (slopes[i] - delta[i]) * scale;
        if constexpr (capped) slope *= 1.0f - (z * inverse) * (z * inverse);
        scores[i] = p;
        slopes[i] = slope;
    }
}
MENO_VECTOR_CLONES void differentiate_plain(
    float *scores, float *slopes, const float *lse, const float *delta, int64_t n, float scale, float cap) {
    differentiate<false>(scores, slopes, lse, delta, n, scale, cap);
}
MENO_VECTOR_CLONES void differentiate_capped(
    float *scores, float *slopes, const float *lse, const float *delta, int64_t n, float scale, float cap) {
    differentiate<true>(scores, slopes, lse, delta, n, scale, cap);
}

// to [64, 64] = from [64, 64]ᵀ.
void transpose_side(const float *from, float *to) {
    for (int64_t i = 0; i < kSide; i += meno::kTransposed)
        for (int64_t j = 0; j < kSide; j += meno::kTransposed)
            meno::transpose(from + i * kSide + j, kSide * 4, to + j * kSide + i, kSide * 4);
}

// Gradients of the keys and values are those of one head of the queries. What a sequence adds to those of the tokens before
// its own has rows of its own, after those of all tokens.
template <class Engine, class Source, class Target>
void differentiate(
    const Problem &problem, int64_t sequence, int64_t index, const at::Tensor *inputs, const at::Tensor &output,
    const float *lse, const at::Tensor &slope, const at::Tensor &query_gradient, Target *key_gradient,
    Target *value_gradient) {
    using Item = Head<Engine, Source>;
    using Element = typename Item::Element;
    using Value = typename Item::Value;
    Item head(problem, sequence, index);
    if (head.empty()) return;
    int64_t size = head.size, blocks = head.blocks, panel = head.panel, before = head.before;
    constexpr int64_t square = kSide * kSide;
    Memory memory;
    Element *query = head.gather(inputs[0], memory), *key = head.gather(inputs[1], memory);
    Element *value = head.gather(inputs[2], memory), *gradient = head.gather(slope, memory);
    Element *query_rows = head.pack_rows(query, memory), *query_columns = head.pack_columns(query, memory);
    Element *gradient_rows = head.pack_rows(gradient, memory), *gradient_columns = head.pack_columns(gradient, memory);
    Element *key_columns = head.pack_columns(key, memory);
    float *query_sums = memory.take<float>(blocks * kSide * size), *delta = memory.take<float>(head.length);
    auto *out = static_cast<const Value *>(output.data_ptr()), *slopes_of = static_cast<const Value *>(slope.data_ptr());
    for (int64_t t = before; t < head.length; ++t) {
        int64_t place = head.place(t, problem.heads, index);
        delta[t] = product_sum(out + place, slopes_of + place, size);
    }
    lse += index * problem.tokens + head.row(0);
    float *scores = memory.take<float>(square), *slopes = memory.take<float>(square), *turned = memory.take<float>(square);
    Element *left[3];
    for (auto &each : left) each = memory.take<Element>(square);
    float *key_sums = memory.take<float>(kSide * size), *value_sums = memory.take<float>(kSide * size);
    typename Engine::Session session;
    for (int64_t block = 0; block < blocks; ++block) {
        int64_t first = block * kSide, keys = head.count(block), last = problem.last_queries(block, blocks);
        int64_t nearest = std::max(block, head.first_block());
        if (last < nearest)
            for (float *sums : {key_sums, value_sums}) std::fill_n(sums, keys * size, 0.0f);
        for (int64_t other = nearest; other <= last; ++other) {
            int64_t queries = head.count(other), begin = other * kSide;
            // Transposed: a row for each key.
            Engine::multiply(key + first * size, size, keys, query_rows + other * panel, size, queries, scores, kSide, false);
            Engine::multiply(
                value + first * size, size, keys, gradient_rows + other * panel, size, queries, slopes, kSide, false);
            for (int64_t j = 0; j < kSide; ++j) {
                float *p = scores + j * kSide, *ds = slopes + j * kSide;
                int64_t from = std::clamp<int64_t>(std::max(first + j, before) - begin, 0, queries);
                int64_t to = problem.window > 0 ? std::clamp<int64_t>(first + j + problem.window - begin, from, queries) : queries;
                if (j >= keys) from = to = 0;
                (problem.cap > 0 ? differentiate_capped : differentiate_plain)(
                    p + from, ds + from, lse + begin + from, delta + begin + from, to - from, problem.scale, problem.cap);
                for (float *row : {p, ds}) {
                    std::fill(row, row + from, 0.0f);
                    std::fill(row + to, row + kSide, 0.0f);
                }
            }
            Engine::multiply(
                Item::as_left(scores, square, left[0]), kSide, keys, gradient_columns + other * panel,
                Engine::whole(queries), size, value_sums, size, other > nearest);
            Engine::multiply(
                Item::as_left(slopes, square, left[1]), kSide, keys, query_columns + other * panel, Engine::whole(queries),
                size, key_sums, size, other > nearest);
            transpose_side(slopes, turned);
            Engine::multiply(
                Item::as_left(turned, square, left[2]), kSide, queries, key_columns + block * panel, Engine::whole(keys), size,
                query_sums + begin * size, size, block > problem.first_keys(other));
        }
        for (int64_t j = 0; j < keys; ++j) {
            int64_t token = first + j, added = problem.tokens + (sequence - 1) * before;
            int64_t place = ((token < before ? added + token : head.row(token)) * problem.heads + index) * size;
            convert(key_sums + j * size, size, key_gradient + place);
            convert(value_sums + j * size, size, value_gradient + place);
        }
    }
    auto *to = static_cast<Value *>(query_gradient.data_ptr());
    for (int64_t t = before; t < head.length; ++t)
        convert(query_sums + t * size, size, to + head.place(t, problem.heads, index));
}

// Adds what every sequence has added for the tokens before its own, [tokens + added, heads, size], to these tokens' rows.
void sum_sequences(const Problem &problem, float *sums) {
    int64_t width = problem.heads * problem.size, shared = problem.shared;
    const float *added = sums + problem.tokens * width;
    meno::parallel_rows(shared, 1, [&](int64_t begin, int64_t end) {
        for (int64_t sequence = 1; sequence < problem.sequences; ++sequence) {
            if (problem.length(sequence) == shared) continue;
            const float *from = added + (sequence - 1) * shared * width;
            for (int64_t i = begin * width; i < end * width; ++i) sums[i] += from[i];
        }
    });
}

// The sums over the heads that share a key: from [tokens, heads, size] to [tokens, key heads, size].
template <class Value>
void sum_groups(const Problem &problem, const float *from, Value *to) {
    int64_t group = problem.heads / problem.key_heads, size = problem.size;
    meno::parallel_rows(problem.tokens * problem.key_heads, 16, [&](int64_t begin, int64_t end) {
        std::vector<float> sum(static_cast<size_t>(size));
        for (int64_t row = begin; row < end; ++row) {
            std::copy_n(from + row * group * size, size, sum.begin());
            for (int64_t other = 1; other < group; ++other)
                for (int64_t i = 0; i < size; ++i) sum[static_cast<size_t>(i)] += from[(row * group + other) * size + i];
            convert(sum.data(), size, to + row * size);
        }
    });
}

template <class Engine, class Source>
void differentiate_all(
    const Problem &problem, const at::Tensor *inputs, const at::Tensor &output, const float *lse, const at::Tensor &slope,
    at::Tensor *gradients) {
    using Value = typename Source::Storage;
    auto of = [](const at::Tensor &tensor) { return static_cast<Value *>(tensor.data_ptr()); };
    if (problem.heads == problem.key_heads && problem.shared == 0)
        return for_each_head(problem, 1, [&](int64_t sequence, int64_t head) {
            differentiate<Engine, Source>(
                problem, sequence, head, inputs, output, lse, slope, gradients[0], of(gradients[1]), of(gradients[2]));
        });
    int64_t rows = problem.tokens + (problem.sequences - 1) * problem.shared;
    at::Tensor sums = at::empty({2, rows, problem.heads, problem.size}, at::kFloat);
    float *keys = sums.select(0, 0).data_ptr<float>(), *values = sums.select(0, 1).data_ptr<float>();
    for_each_head(problem, 1, [&](int64_t sequence, int64_t head) {
        differentiate<Engine, Source>(problem, sequence, head, inputs, output, lse, slope, gradients[0], keys, values);
    });
    for (float *each : {keys, values}) sum_sequences(problem, each);
    sum_groups(problem, keys, of(gradients[1]));
    sum_groups(problem, values, of(gradients[2]));
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> meno::operators::attention_backward(
    const at::Tensor &gradient, const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
    const at::Tensor &output, const at::Tensor &log_sums, at::IntArrayRef boundaries, int64_t shared, int64_t window,
    double scale, double softcap) {
    const at::Tensor inputs[] = {query, key, value};
    Problem problem = problem_of(inputs, {boundaries, shared, window, scale, softcap});
    for (const at::Tensor *each : {&gradient, &output})
        TORCH_CHECK(
            has_vector_kernels(*each) && each->sizes() == inputs[0].sizes() &&
                each->scalar_type() == inputs[0].scalar_type(),
            "expected a contiguous result and gradient like the queries, got ", each->sizes());
    at::Tensor results[3];
    for (int i = 0; i < 3; ++i) results[i] = product::empty_rows(inputs[i].sizes(), inputs[i].options());
    auto work = takes_tiles(inputs[0])                      ? differentiate_all<Tiles, BFloat16>
                : inputs[0].scalar_type() == at::kBFloat16 ? differentiate_all<Panels, BFloat16>
                                                            : differentiate_all<Panels, Float32>;
    work(problem, inputs, output, log_sums.data_ptr<float>(), gradient, results);
    return {results[0], results[1], results[2]};
}
