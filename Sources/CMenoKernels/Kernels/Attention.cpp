// Causal attention of sequences that lie end to end, each to itself; see Attention.h.

#include <cmath>

#include "Attention.h"

namespace {

// One sequence's heads from `first_head` on that share a key and a value.
template <class Engine, class Source>
void attend(
    const Problem &problem, int64_t sequence, int64_t first_head, int64_t heads, const at::Tensor *inputs,
    const at::Tensor &output, float *lse) {
    using Item = Head<Engine, Source>;
    using Element = typename Item::Element;
    using Value = typename Item::Value;
    Item head(problem, sequence, first_head);
    if (head.empty()) return;
    int64_t size = head.size, blocks = head.blocks, panel = head.panel, most = 0;
    for (int64_t block = head.first_block(); block < blocks; ++block)
        most = std::max(most, (block - problem.first_keys(block) + 1) * kSide);
    Memory memory;
    Element *key_rows = head.pack_rows(head.gather(inputs[1], memory), memory);
    Element *value_columns = head.pack_columns(head.gather(inputs[2], memory), memory);
    float *scores = memory.take<float>(kSide * most);
    Element *narrowed = memory.take<Element>(kSide * most);
    float *result = memory.take<float>(kSide * size);
    Element *query = memory.take<Element>(head.gathered_values());
    typename Engine::Session session;
    auto attend_block = [&](int64_t which, int64_t block) {
        int64_t first = head.first_query(block), low = problem.first_keys(block);
        int64_t rows = block * kSide + head.count(block) - first, width = (block - low + 1) * kSide;
        for (int64_t keys = low; keys <= block; ++keys)
            Engine::multiply(
                query + first * size, size, rows, key_rows + keys * panel, size, head.count(keys),
                scores + (keys - low) * kSide, width, false);
        float factors[kSide];
        int64_t end = (block - low) * kSide + Engine::whole(head.count(block));
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
            lse[which * problem.tokens + head.row(first + i)] = static_cast<float>(top + std::log(sum));
        }
        const Element *weights = Item::as_left(scores, rows * width, narrowed);
        for (int64_t keys = low; keys <= block; ++keys)
            Engine::multiply(
                weights + (keys - low) * kSide, width, rows, value_columns + keys * panel, Engine::whole(head.count(keys)),
                size, result, size, keys > low);
        auto *out = static_cast<Value *>(output.data_ptr());
        for (int64_t i = 0; i < rows; ++i)
            convert(result + i * size, size, out + head.place(first + i, problem.heads, which), factors[i]);
    };
    for (int64_t which = first_head; which < first_head + heads; ++which) {
        head.gather(inputs[0], which, query);
        for (int64_t block = head.first_block(); block < blocks; ++block) attend_block(which, block);
    }
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> meno::operators::attention(
    const at::Tensor &query, const at::Tensor &key, const at::Tensor &value, at::IntArrayRef boundaries, int64_t shared,
    int64_t window, double scale, double softcap) {
    const at::Tensor inputs[] = {query, key, value};
    Problem problem = problem_of(inputs, {boundaries, shared, window, scale, softcap});
    at::Tensor result = product::empty_rows(inputs[0].sizes(), inputs[0].options());
    at::Tensor lse = at::empty({problem.heads, problem.tokens}, at::kFloat);
    auto work = takes_tiles(inputs[0])                      ? attend<Tiles, BFloat16>
                : inputs[0].scalar_type() == at::kBFloat16 ? attend<Panels, BFloat16>
                                                            : attend<Panels, Float32>;
    // Heads that share a key have it packed once, where there is work for all threads all the same.
    int64_t group = problem.heads / problem.key_heads, threads = at::get_num_threads();
    int64_t together = problem.sequences * problem.key_heads >= 4 * threads ? group : 1;
    for_each_head(problem, together, [&](int64_t sequence, int64_t head) {
        work(problem, sequence, head, together, inputs, result, lse.data_ptr<float>());
    });
    return {result, lse};
}
