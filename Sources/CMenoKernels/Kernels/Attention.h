// What causal attention of sequences that lie end to end is made of, forward and backward: the products of its blocks, what
// attends to what, and one head of one sequence.
//
// Scores of a block of queries, or of a block of queries and one of keys, exist only while they are needed, as in
// FlashAttention-2 (Dao, 2023, arXiv:2307.08691); what a window or the order of tokens hides is not computed, by blocks.
// Products are by this project's own kernels, which need no setting up for each new length.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "../Internal.h"
#include "../Operators.h"
#include "Conversion.h"
#include "FrozenProduct.h"
#include "Memory.h"
#include "Parallel.h"
#include "Softmax.h"
#include "TileProduct.h"

namespace {

namespace product = meno::product;
namespace tiles = meno::tiles;
using meno::Memory;

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

// Defines which tokens attend to which. Heads are [tokens, heads, size].
struct Problem {
    const int64_t *boundaries;  // [sequences + 1]
    int64_t sequences, shared, tokens, heads, key_heads, size;
    int64_t window;  // 0: none
    float scale, cap;

    // Tokens before a sequence's own, which the first one has.
    int64_t before(int64_t sequence) const { return sequence > 0 ? shared : 0; }
    int64_t length(int64_t sequence) const { return before(sequence) + boundaries[sequence + 1] - boundaries[sequence]; }
    // The first block of keys that the queries of a block see, and the last block of queries that see the keys of one.
    int64_t first_keys(int64_t block) const {
        return window > 0 ? std::max<int64_t>(0, block * kSide - window + 1) / kSide : 0;
    }
    int64_t last_queries(int64_t block, int64_t blocks) const {
        return window > 0 ? std::min(blocks - 1, (block * kSide + kSide - 1 + window - 1) / kSide) : blocks - 1;
    }
};

// One head of one sequence, of all its tokens: those that the first sequence has for all come first.
template <class Engine, class Source>
struct Head {
    using Element = typename Engine::Number::Storage;
    using Value = typename Source::Storage;

    const Problem &problem;
    int64_t head, before, start, length, size, blocks, panel;

    Head(const Problem &p, int64_t sequence, int64_t head)
        : problem(p), head(head), before(p.before(sequence)), start(p.boundaries[sequence] - before),
          length(p.length(sequence)), size(p.size), blocks((length + kSide - 1) / kSide),
          panel(kSide * ((size + 15) / 16 * 16)) {}

    bool empty() const { return length == before; }
    int64_t count(int64_t block) const { return std::min(kSide, length - block * kSide); }
    // Its own tokens are queries.
    int64_t first_block() const { return before / kSide; }
    int64_t first_query(int64_t block) const { return std::max(before, block * kSide); }
    // The row of a token of its own among those of all sequences.
    int64_t row(int64_t token) const { return start + token; }
    int64_t place(int64_t token, int64_t heads, int64_t which) const {
        return ((token < before ? token : row(token)) * heads + which) * size;
    }

    // Its rows of a tensor without gaps; below the last one zeros to where products read, from whichever row.
    Element *gather(const at::Tensor &tensor, Memory &memory) const {
        int64_t heads = tensor.size(1);
        Element *to = memory.take<Element>(gathered_values());
        gather(tensor, heads == problem.heads ? head : head / (problem.heads / heads), to);
        return to;
    }
    int64_t gathered_values() const { return (Engine::whole(length) + Engine::whole(1) - 1) * size; }
    // The same of one of the tensor's heads.
    void gather(const at::Tensor &tensor, int64_t which, Element *to) const {
        int64_t heads = tensor.size(1);
        auto from = static_cast<const Value *>(tensor.data_ptr());
        for (int64_t t = 0; t < length; ++t) {
            const Value *row = from + place(t, heads, which);
            if constexpr (std::is_same_v<Value, Element>) std::copy_n(row, size, to + t * size);
            else convert(row, size, to + t * size);
        }
        std::fill(to + length * size, to + gathered_values(), Element(0));
    }
    // What it gathered, packed block by block.
    Element *pack_rows(const Element *matrix, Memory &memory) const {
        Element *packed = memory.take<Element>(blocks * panel);
        for (int64_t b = 0; b < blocks; ++b) Engine::pack_rows(matrix + b * kSide * size, count(b), size, packed + b * panel);
        return packed;
    }
    Element *pack_columns(const Element *matrix, Memory &memory) const {
        Element *packed = memory.take<Element>(blocks * panel);
        for (int64_t b = 0; b < blocks; ++b) Engine::pack_columns(matrix + b * kSide * size, count(b), size, packed + b * panel);
        return packed;
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

bool takes_tiles(const at::Tensor &query) {
    return query.scalar_type() == at::kBFloat16 && tiles::available() && query.size(2) % tiles::kDepth == 0;
}

// Sequences that lie end to end, as Operators.h has them.
struct Layout {
    at::IntArrayRef boundaries;
    int64_t shared, window;
    double scale, softcap;
    int64_t sequences() const { return static_cast<int64_t>(boundaries.size()) - 1; }
};

Problem problem_of(const at::Tensor *inputs, const Layout &layout) {
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
    TORCH_CHECK(!layout.boundaries.empty(), "the boundaries of sequences begin with 0");
    int64_t last = 0;
    for (int64_t boundary : layout.boundaries) {
        TORCH_CHECK(boundary >= last, "boundaries of sequences must ascend from 0");
        last = boundary;
    }
    TORCH_CHECK(
        layout.boundaries[0] == 0 && last == query.size(0), "the sequences end at ", last, ", not at ", query.size(0), " tokens");
    TORCH_CHECK(
        layout.shared == 0 || (layout.shared > 0 && layout.sequences() > 0 && layout.shared <= layout.boundaries[1]),
        "the first sequence has no ", layout.shared, " tokens for all");
    return {
        layout.boundaries.data(), layout.sequences(), layout.shared, query.size(0), query.size(1), key.size(1), query.size(2),
        layout.window, static_cast<float>(layout.scale), static_cast<float>(layout.softcap)};
}

// The longest sequences first, so that no thread is left with one at the end; body(sequence, head) for the first of each
// `together` heads.
template <class Body>
void for_each_head(const Problem &problem, int64_t together, const Body &body) {
    std::vector<int64_t> order(static_cast<size_t>(problem.sequences));
    for (int64_t i = 0; i < problem.sequences; ++i) order[static_cast<size_t>(i)] = i;
    std::stable_sort(
        order.begin(), order.end(), [&](int64_t a, int64_t b) { return problem.length(a) > problem.length(b); });
    int64_t parts = problem.heads / together;
    meno::parallel(problem.sequences * parts, [&](int64_t item) {
        body(order[static_cast<size_t>(item / parts)], item % parts * together);
    });
}

}  // namespace
