// Causal attention of sequences that lie end to end, each to itself, forward and backward.
//
// Scores of a block of queries, or of a block of queries and one of keys, exist only while they are needed, as in
// FlashAttention-2 (Dao, 2023, arXiv:2307.08691); what a window or the order of tokens hides is not computed, by blocks.
// Products are by this project's own kernels, which need no setting up for each new length.

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "../Internal.h"
#include "FrozenProduct.h"
#include "Parallel.h"
#include "Softmax.h"
#include "TileProduct.h"

namespace {

namespace product = meno::product;
namespace tiles = meno::tiles;

// Queries, and keys, of a block.
constexpr int64_t kSide = 64;

// Products in float32.
struct Panels {
    using Number = Float32;
    struct Session {};
    // How many rows, or how much depth, a product of n takes.
    static int64_t whole(int64_t n) { return n; }
    // Rows of a matrix as the right side of x · Mᵀ, and its columns as that of x · M.
    static void pack_rows(const float *matrix, int64_t rows, int64_t columns, float *packed) {
        product::pack_rows({matrix, product::Type::float32, rows, columns}, 0, rows, packed);
    }
    static void pack_columns(const float *matrix, int64_t rows, int64_t columns, float *packed) {
        product::pack_columns({matrix, product::Type::float32, rows, columns}, 0, columns, packed);
    }
    static void multiply(
        const float *left, int64_t stride, int64_t m, const float *packed, int64_t depth, int64_t n, float *out,
        int64_t out_stride, bool accumulate) {
        product::multiply(left, stride, m, packed, depth, n, out, out_stride, accumulate);
    }
};

// Products in bfloat16 on the processor's matrix unit.
struct Tiles {
    using Number = BFloat16;
    using Session = tiles::Session;
    static int64_t whole(int64_t n) { return tiles::whole_blocks(n); }
    static void pack_rows(const uint16_t *matrix, int64_t rows, int64_t columns, uint16_t *packed) {
        tiles::pack_rows(matrix, columns, rows, columns, packed);
    }
    static void pack_columns(const uint16_t *matrix, int64_t rows, int64_t columns, uint16_t *packed) {
        tiles::pack_columns(matrix, columns, columns, rows, packed);
    }
    static void multiply(
        const uint16_t *left, int64_t stride, int64_t m, const uint16_t *packed, int64_t depth, int64_t n, float *out,
        int64_t out_stride, bool accumulate) {
        for (int64_t j = 0; j < n; j += tiles::kBlock)
            for (int64_t i = 0; i < m; i += tiles::kBlock)
                tiles::multiply_block(
                    left + i * stride, stride, packed + j * depth, depth, out + i * out_stride + j, out_stride, accumulate);
    }
};

// to[i] = factor · from[i].
template <class From, class To>
MENO_INLINE void convert(const typename From::Storage *from, int64_t n, float factor, typename To::Storage *to) {
    for (int64_t i = 0; i < n; ++i) to[i] = To::store(factor * From::load(from[i]));
}
MENO_VECTOR_CLONES void converted(const float *from, int64_t n, float factor, float *to) {
    convert<Float32, Float32>(from, n, factor, to);
}
MENO_VECTOR_CLONES void converted(const float *from, int64_t n, float factor, uint16_t *to) {
    convert<Float32, BFloat16>(from, n, factor, to);
}
MENO_VECTOR_CLONES void converted(const uint16_t *from, int64_t n, float factor, float *to) {
    convert<BFloat16, Float32>(from, n, factor, to);
}

template <class Number>
MENO_INLINE float dot(const typename Number::Storage *a, const typename Number::Storage *b, int64_t n) {
    float lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) lanes[l] += Number::load(a[i + l]) * Number::load(b[i + l]);
    float sum = 0;
    for (float lane : lanes) sum += lane;
    for (; i < n; ++i) sum += Number::load(a[i]) * Number::load(b[i]);
    return sum;
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
MENO_VECTOR_CLONES void transpose_side(const float *from, float *to) {
    constexpr int64_t part = 8;
    for (int64_t i = 0; i < kSide; i += part)
        for (int64_t j = 0; j < kSide; j += part)
            for (int64_t k = 0; k < part; ++k)
                for (int64_t l = 0; l < part; ++l) to[(j + l) * kSide + i + k] = from[(i + k) * kSide + j + l];
}

// Memory of one piece of work, handed out in parts.
class Memory {
  public:
    explicit Memory(int64_t bytes) : bytes_(at::empty({bytes + kAlignment}, at::kByte)), next_(bytes_.data_ptr<uint8_t>()) {
        next_ += (kAlignment - reinterpret_cast<uintptr_t>(next_) % kAlignment) % kAlignment;
    }
    template <class Value>
    Value *take(int64_t count) {
        auto result = reinterpret_cast<Value *>(next_);
        next_ += size_of<Value>(count);
        return result;
    }
    template <class Value>
    static int64_t size_of(int64_t count) {
        return (count * static_cast<int64_t>(sizeof(Value)) + kAlignment - 1) / kAlignment * kAlignment;
    }

  private:
    static constexpr int64_t kAlignment = 64;
    at::Tensor bytes_;
    uint8_t *next_;
};

// What attends to what. Heads are [tokens, heads, size].
struct Problem {
    const int64_t *boundaries;  // [sequences + 1]
    int64_t sequences, tokens, heads, key_heads, size;
    int64_t window;  // 0: none
    float scale, cap;

    int64_t length(int64_t sequence) const { return boundaries[sequence + 1] - boundaries[sequence]; }
    // The first block of keys that the queries of a block see, and the last block of queries that see the keys of one.
    int64_t first_keys(int64_t block) const {
        return window > 0 ? std::max<int64_t>(0, block * kSide - window + 1) / kSide : 0;
    }
    int64_t last_queries(int64_t block, int64_t blocks) const {
        return window > 0 ? std::min(blocks - 1, (block * kSide + kSide - 1 + window - 1) / kSide) : blocks - 1;
    }
};

// One head of one sequence.
template <class Engine, class Source>
struct Head {
    using Element = typename Engine::Number::Storage;
    using Value = typename Source::Storage;

    const Problem &problem;
    int64_t head, start, length, size, blocks, panel;

    Head(const Problem &p, int64_t sequence, int64_t head)
        : problem(p), head(head), start(p.boundaries[sequence]), length(p.length(sequence)), size(p.size),
          blocks((length + kSide - 1) / kSide), panel(kSide * ((size + 15) / 16 * 16)) {}

    int64_t count(int64_t block) const { return std::min(kSide, length - block * kSide); }
    int64_t key_head() const { return head / (problem.heads / problem.key_heads); }
    int64_t values() const { return Engine::whole(length) * size; }
    int64_t place(int64_t token, int64_t heads, int64_t which) const { return ((start + token) * heads + which) * size; }

    // The rows of a head without gaps; below the last one zeros to where products read.
    void gather(const Value *from, int64_t heads, int64_t which, Element *to) const {
        for (int64_t t = 0; t < length; ++t) {
            const Value *row = from + place(t, heads, which);
            if constexpr (std::is_same_v<Value, Element>) std::copy_n(row, size, to + t * size);
            else converted(row, size, 1, to + t * size);
        }
        std::fill(to + length * size, to + values(), Element(0));
    }
    void pack_rows(const Element *matrix, Element *packed) const {
        for (int64_t b = 0; b < blocks; ++b) Engine::pack_rows(matrix + b * kSide * size, count(b), size, packed + b * panel);
    }
    void pack_columns(const Element *matrix, Element *packed) const {
        for (int64_t b = 0; b < blocks; ++b) Engine::pack_columns(matrix + b * kSide * size, count(b), size, packed + b * panel);
    }
    // Blocks of float32 as a left side.
    static const Element *as_left(const float *from, int64_t n, Element *to) {
        if constexpr (std::is_same_v<Element, float>) return from;
        else {
            tiles::narrow(from, n, to);
            return to;
        }
    }
};

template <class Engine, class Source>
void attend(
    const Problem &problem, int64_t sequence, int64_t index, const at::Tensor *inputs, const at::Tensor &output,
    float *lse) {
    using Item = Head<Engine, Source>;
    using Element = typename Item::Element;
    using Value = typename Item::Value;
    Item head(problem, sequence, index);
    if (head.length == 0) return;
    int64_t size = head.size, blocks = head.blocks, panel = head.panel, width = blocks * kSide;
    Memory memory(
        3 * Memory::size_of<Element>(head.values()) + 2 * Memory::size_of<Element>(blocks * panel) +
        Memory::size_of<float>(kSide * width) + Memory::size_of<Element>(kSide * width) +
        Memory::size_of<float>(kSide * size));
    Element *sides[3];
    for (int side = 0; side < 3; ++side) {
        sides[side] = memory.take<Element>(head.values());
        head.gather(
            static_cast<const Value *>(inputs[side].data_ptr()), side == 0 ? problem.heads : problem.key_heads,
            side == 0 ? index : head.key_head(), sides[side]);
    }
    auto [query, key, value] = sides;
    Element *key_rows = memory.take<Element>(blocks * panel), *value_columns = memory.take<Element>(blocks * panel);
    head.pack_rows(key, key_rows);
    head.pack_columns(value, value_columns);
    float *scores = memory.take<float>(kSide * width);
    Element *narrowed = memory.take<Element>(kSide * width);
    float *result = memory.take<float>(kSide * size);
    typename Engine::Session session;
    for (int64_t block = 0; block < blocks; ++block) {
        int64_t first = block * kSide, rows = head.count(block), low = problem.first_keys(block);
        for (int64_t keys = low; keys <= block; ++keys)
            Engine::multiply(
                query + first * size, size, rows, key_rows + keys * panel, size, head.count(keys),
                scores + (keys - low) * kSide, width, false);
        float factors[kSide];
        int64_t end = (block - low) * kSide + Engine::whole(rows);
        for (int64_t i = 0; i < rows; ++i) {
            float *row = scores + i * width;
            int64_t to = first + i + 1 - low * kSide;
            int64_t from = problem.window > 0 ? std::max<int64_t>(0, to - problem.window) : 0;
            scale_row(row + from, to - from, problem.scale);
            if (problem.cap > 0) cap_row(row + from, to - from, problem.cap);
            float top = top_of(row + from, to - from);
            double sum = plain_exponents(row + from, to - from, top).sum;
            std::fill(row, row + from, 0.0f);
            std::fill(row + to, row + end, 0.0f);
            factors[i] = static_cast<float>(1 / sum);
            lse[index * problem.tokens + head.start + first + i] = static_cast<float>(top + std::log(sum));
        }
        const Element *weights = Item::as_left(scores, rows * width, narrowed);
        for (int64_t keys = low; keys <= block; ++keys)
            Engine::multiply(
                weights + (keys - low) * kSide, width, rows, value_columns + keys * panel, Engine::whole(head.count(keys)),
                size, result, size, keys > low);
        auto *out = static_cast<Value *>(output.data_ptr());
        for (int64_t i = 0; i < rows; ++i)
            converted(result + i * size, size, factors[i], out + head.place(first + i, problem.heads, index));
    }
}

// Gradients of the keys and values are those of one head of the queries.
template <class Engine, class Source, class Target>
void differentiate(
    const Problem &problem, int64_t sequence, int64_t index, const at::Tensor *inputs, const at::Tensor &output,
    const float *lse, const at::Tensor &slope, const at::Tensor &query_gradient, Target *key_gradient,
    Target *value_gradient) {
    using Item = Head<Engine, Source>;
    using Element = typename Item::Element;
    using Value = typename Item::Value;
    Item head(problem, sequence, index);
    if (head.length == 0) return;
    int64_t size = head.size, blocks = head.blocks, panel = head.panel;
    constexpr int64_t square = kSide * kSide;
    Memory memory(
        4 * Memory::size_of<Element>(head.values()) + 5 * Memory::size_of<Element>(blocks * panel) +
        Memory::size_of<float>(blocks * kSide * size) + Memory::size_of<float>(head.length) +
        3 * Memory::size_of<float>(square) + 3 * Memory::size_of<Element>(square) + 2 * Memory::size_of<float>(kSide * size));
    Element *sides[4];
    const at::Tensor *tensors[4] = {&inputs[0], &inputs[1], &inputs[2], &slope};
    for (int side = 0; side < 4; ++side) {
        bool many = side == 0 || side == 3;
        sides[side] = memory.take<Element>(head.values());
        head.gather(
            static_cast<const Value *>(tensors[side]->data_ptr()), many ? problem.heads : problem.key_heads,
            many ? index : head.key_head(), sides[side]);
    }
    auto [query, key, value, gradient] = sides;
    Element *query_rows = memory.take<Element>(blocks * panel), *query_columns = memory.take<Element>(blocks * panel);
    Element *gradient_rows = memory.take<Element>(blocks * panel), *gradient_columns = memory.take<Element>(blocks * panel);
    Element *key_columns = memory.take<Element>(blocks * panel);
    head.pack_rows(query, query_rows);
    head.pack_columns(query, query_columns);
    head.pack_rows(gradient, gradient_rows);
    head.pack_columns(gradient, gradient_columns);
    head.pack_columns(key, key_columns);
    float *query_sums = memory.take<float>(blocks * kSide * size), *delta = memory.take<float>(head.length);
    auto *out = static_cast<const Value *>(output.data_ptr()), *slopes_of = static_cast<const Value *>(slope.data_ptr());
    for (int64_t t = 0; t < head.length; ++t) {
        int64_t place = head.place(t, problem.heads, index);
        delta[t] = product_sum(out + place, slopes_of + place, size);
    }
    lse += index * problem.tokens + head.start;
    float *scores = memory.take<float>(square), *slopes = memory.take<float>(square), *turned = memory.take<float>(square);
    Element *left[3];
    for (auto &each : left) each = memory.take<Element>(square);
    float *key_sums = memory.take<float>(kSide * size), *value_sums = memory.take<float>(kSide * size);
    typename Engine::Session session;
    for (int64_t block = 0; block < blocks; ++block) {
        int64_t first = block * kSide, keys = head.count(block), last = problem.last_queries(block, blocks);
        for (int64_t other = block; other <= last; ++other) {
            int64_t queries = head.count(other), begin = other * kSide;
            // Transposed: a row for each key.
            Engine::multiply(key + first * size, size, keys, query_rows + other * panel, size, queries, scores, kSide, false);
            Engine::multiply(
                value + first * size, size, keys, gradient_rows + other * panel, size, queries, slopes, kSide, false);
            for (int64_t j = 0; j < kSide; ++j) {
                float *p = scores + j * kSide, *ds = slopes + j * kSide;
                int64_t from = std::clamp<int64_t>(first + j - begin, 0, queries);
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
                Engine::whole(queries), size, value_sums, size, other > block);
            Engine::multiply(
                Item::as_left(slopes, square, left[1]), kSide, keys, query_columns + other * panel, Engine::whole(queries),
                size, key_sums, size, other > block);
            transpose_side(slopes, turned);
            Engine::multiply(
                Item::as_left(turned, square, left[2]), kSide, queries, key_columns + block * panel, Engine::whole(keys), size,
                query_sums + begin * size, size, block > problem.first_keys(other));
        }
        for (int64_t j = 0; j < keys; ++j) {
            int64_t place = head.place(first + j, problem.heads, index);
            converted(key_sums + j * size, size, 1, key_gradient + place);
            converted(value_sums + j * size, size, 1, value_gradient + place);
        }
    }
    auto *to = static_cast<Value *>(query_gradient.data_ptr());
    for (int64_t t = 0; t < head.length; ++t)
        converted(query_sums + t * size, size, 1, to + head.place(t, problem.heads, index));
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
            converted(sum.data(), size, 1, to + row * size);
        }
    });
}

bool takes_tiles(const at::Tensor &query) {
    return query.scalar_type() == at::kBFloat16 && tiles::available() && query.size(2) % tiles::kDepth == 0;
}

Problem problem_of(const at::Tensor *inputs, const ct_attention_layout &layout) {
    const at::Tensor &query = inputs[0], &key = inputs[1], &value = inputs[2];
    for (const at::Tensor *each : {&query, &key, &value})
        TORCH_CHECK(
            product::has_panels() && meno::has_vector_kernels(*each) && each->dim() == 3 &&
                each->scalar_type() == query.scalar_type() && each->size(0) == query.size(0) &&
                each->size(2) == query.size(2) && each->size(1) == (each == &query ? query : key).size(1),
            "expected contiguous heads [tokens, heads, size] of one type, float32 or bfloat16, on the CPU, got ",
            query.sizes(), ", ", key.sizes(), " and ", value.sizes());
    TORCH_CHECK(
        key.size(1) > 0 && query.size(1) % key.size(1) == 0, query.size(1), " heads cannot share ", key.size(1), " keys evenly");
    int64_t last = 0;
    for (int64_t i = 0; i <= layout.sequences; ++i) {
        TORCH_CHECK(layout.boundaries[i] >= last, "boundaries of sequences must ascend from 0");
        last = layout.boundaries[i];
    }
    TORCH_CHECK(
        layout.boundaries[0] == 0 && last == query.size(0), "the sequences end at ", last, ", not at ", query.size(0), " tokens");
    return {
        layout.boundaries, layout.sequences, query.size(0), query.size(1), key.size(1), query.size(2), layout.window,
        layout.scale, layout.softcap};
}

// The longest sequences first, so that no thread is left with one at the end; body(sequence, head).
template <class Body>
void for_each_head(const Problem &problem, const Body &body) {
    std::vector<int64_t> order(static_cast<size_t>(problem.sequences));
    for (int64_t i = 0; i < problem.sequences; ++i) order[static_cast<size_t>(i)] = i;
    std::stable_sort(
        order.begin(), order.end(), [&](int64_t a, int64_t b) { return problem.length(a) > problem.length(b); });
    meno::parallel(problem.sequences * problem.heads, [&](int64_t item) {
        body(order[static_cast<size_t>(item / problem.heads)], item % problem.heads);
    });
}

template <class Engine, class Source>
void differentiate_all(
    const Problem &problem, const at::Tensor *inputs, const at::Tensor &output, const float *lse, const at::Tensor &slope,
    at::Tensor *gradients) {
    using Value = typename Source::Storage;
    auto of = [](const at::Tensor &tensor) { return static_cast<Value *>(tensor.data_ptr()); };
    if (problem.heads == problem.key_heads)
        return for_each_head(problem, [&](int64_t sequence, int64_t head) {
            differentiate<Engine, Source>(
                problem, sequence, head, inputs, output, lse, slope, gradients[0], of(gradients[1]), of(gradients[2]));
        });
    at::Tensor sums = at::empty({2, problem.tokens, problem.heads, problem.size}, at::kFloat);
    float *keys = sums.select(0, 0).data_ptr<float>(), *values = sums.select(0, 1).data_ptr<float>();
    for_each_head(problem, [&](int64_t sequence, int64_t head) {
        differentiate<Engine, Source>(problem, sequence, head, inputs, output, lse, slope, gradients[0], keys, values);
    });
    sum_groups(problem, keys, of(gradients[1]));
    sum_groups(problem, values, of(gradients[2]));
}

}  // namespace

bool ct_has_attention(const ct_tensor *query) {
    const at::Tensor &value = query->value;
    return product::has_panels() && value.is_cpu() && value.dim() == 3 &&
           (value.scalar_type() == at::kFloat || value.scalar_type() == at::kBFloat16);
}

ct_status ct_attention(
    const ct_tensor *query, const ct_tensor *key, const ct_tensor *value, const ct_attention_layout *layout,
    ct_tensor **output, ct_tensor **log_sums) {
    return meno::guarded([&] {
        const at::Tensor inputs[] = {query->value, key->value, value->value};
        Problem problem = problem_of(inputs, *layout);
        at::Tensor result = product::empty_rows(inputs[0].sizes(), inputs[0].options());
        at::Tensor lse = at::empty({problem.heads, problem.tokens}, at::kFloat);
        auto work = takes_tiles(inputs[0])                      ? attend<Tiles, BFloat16>
                    : inputs[0].scalar_type() == at::kBFloat16 ? attend<Panels, BFloat16>
                                                                : attend<Panels, Float32>;
        for_each_head(problem, [&](int64_t sequence, int64_t head) {
            work(problem, sequence, head, inputs, result, lse.data_ptr<float>());
        });
        *output = meno::wrap(result);
        *log_sums = meno::wrap(lse);
    });
}

ct_status ct_attention_backward(
    const ct_tensor *gradient, const ct_tensor *query, const ct_tensor *key, const ct_tensor *value,
    const ct_tensor *output, const ct_tensor *log_sums, const ct_attention_layout *layout, ct_tensor **gradients) {
    return meno::guarded([&] {
        const at::Tensor inputs[] = {query->value, key->value, value->value};
        Problem problem = problem_of(inputs, *layout);
        for (const ct_tensor *each : {gradient, output})
            TORCH_CHECK(
                meno::has_vector_kernels(each->value) && each->value.sizes() == inputs[0].sizes() &&
                    each->value.scalar_type() == inputs[0].scalar_type(),
                "expected a contiguous result and gradient like the queries, got ", each->value.sizes());
        at::Tensor results[3];
        for (int i = 0; i < 3; ++i) results[i] = product::empty_rows(inputs[i].sizes(), inputs[i].options());
        auto work = takes_tiles(inputs[0])                      ? differentiate_all<Tiles, BFloat16>
                    : inputs[0].scalar_type() == at::kBFloat16 ? differentiate_all<Panels, BFloat16>
                                                                : differentiate_all<Panels, Float32>;
        work(problem, inputs, output->value, log_sums->value.data_ptr<float>(), gradient->value, results);
        for (int i = 0; i < 3; ++i) gradients[i] = meno::wrap(results[i]);
    });
}
