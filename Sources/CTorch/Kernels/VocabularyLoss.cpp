// The cross-entropy of a frozen language-model head and its gradient with respect to the hidden states, chunk by chunk of
// the vocabulary while the logits of a chunk are in the caches; see CTorch.h for what is computed.
//
// The softmax is formed on line (Milakov and Gimelshein, 2018, arXiv:1805.02867): each row keeps a reference that its
// exponents are taken against, the sum of them, and Σ exp · W, and all are rescaled in the rare case that a much larger
// logit turns up. Where a threshold is given, Σ exp · W is formed of the few entries above it: the probabilities of a
// vocabulary of 10⁵ words are nearly all as good as zero (as in Cut Cross-Entropy, Wijmans et al., 2024, arXiv:2411.09009,
// which leaves out blocks of them). The rest is not dropped, but taken at the centroid of its chunk's embeddings.

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <vector>

#include "../Internal.h"
#include "Conversion.h"
#include "Entries.h"
#include "FrozenProduct.h"
#include "Parallel.h"
#include "Product.h"
#include "Softmax.h"
#include "TileProduct.h"

namespace {

using meno::product::kRows;
using meno::product::Matrix;
using meno::product::matrix_of;
using meno::product::Type;

// A logit that much above a row's reference makes it the new one; exp is finite to 88.
constexpr float kHeadroom = 40.0f;
// Rows that a thread goes through the vocabulary with on the matrix unit: as many as its second-level cache takes.
constexpr int64_t kTileRows = 320;
constexpr int64_t kBlockLogits = meno::tiles::kBlock * kChunk;
// Distinct targets whose logits give the first bound on a row's sum.
constexpr int64_t kCandidates = 512;

struct Row {
    float reference = -std::numeric_limits<float>::infinity();
    double sum = 0;    // Σ exp(z − reference) over the chunks so far
    double bound = 0;  // what that sum will at least be
    float best = -std::numeric_limits<float>::infinity();
    int64_t best_index = -1;
    float target_logit = 0;
    float target_derivative = 1;
};

struct Head {
    Matrix table;
    const int64_t *targets;
    int64_t rows;
    float cap;
    double threshold;        // 0: every entry counts
    const float *centroids;  // [chunks, hidden]
    float *gradient;         // [rows, hidden], or null
    std::vector<Row> state;

    int64_t hidden() const { return table.columns; }

    void gather(float *out, const Entries &entries) const {
        (table.type == Type::float32 ? gather_float32 : gather_bfloat16)(out, entries, table.data, hidden());
    }

    // Takes the logits of row r for the chunk that begins at `first` into account. They are overwritten.
    void take(int64_t r, int64_t first, int64_t n, float *logits) {
        Row &row = state[r];
        if (cap > 0) cap_row(logits, n, cap);
        int64_t target = targets[r] - first;
        if (target >= 0 && target < n) {
            row.target_logit = logits[target];
            float share = cap > 0 ? row.target_logit / cap : 0;
            row.target_derivative = 1 - share * share;
        }
        float top = top_of(logits, n);
        if (top > row.best) {
            row.best = top;
            row.best_index = first + (std::find(logits, logits + n, top) - logits);
        }
        if (top > row.reference + kHeadroom) raise(r, top);
        auto result = cap > 0 ? capped_exponents(logits, n, row.reference, 1 / cap) : plain_exponents(logits, n, row.reference);
        row.sum += result.sum;
        row.bound = std::max(row.bound, row.sum);
        if (gradient && threshold > 0) {
            Entries entries;
            auto least = static_cast<float>(threshold * row.bound);
            double kept = select(logits, n, least, static_cast<int32_t>(first), entries);
            float *out = gradient + r * hidden();
            gather(out, entries);
            Entries rest(first / kChunk, static_cast<float>(std::max(0.0, result.mass - kept)));
            gather_float32(out, rest, centroids, hidden());
        }
    }

    void raise(int64_t r, float reference) {
        Row &row = state[r];
        float factor = vector_exp(row.reference - reference);
        row.reference = reference;
        row.sum *= factor;
        row.bound *= factor;
        if (gradient) scale_row(gradient + r * hidden(), hidden(), factor);
    }

    // gradient ← gradient / Σ exp − W[target], both by dz/dx; the loss.
    float finish(int64_t r) {
        Row &row = state[r];
        if (gradient) {
            float *out = gradient + r * hidden();
            scale_row(out, hidden(), static_cast<float>(1 / row.sum));
            gather(out, Entries(targets[r], -row.target_derivative));
        }
        return static_cast<float>(std::log(row.sum) + (static_cast<double>(row.reference) - row.target_logit));
    }
};

// The logits of some distinct targets: candidates for a row's large ones. What they sum to is a bound from the start.
at::Tensor candidates(const at::Tensor &table, const int64_t *targets, int64_t rows) {
    std::vector<int64_t> words;
    std::unordered_set<int64_t> seen;
    for (int64_t r = 0; r < rows && static_cast<int64_t>(words.size()) < kCandidates; ++r)
        if (seen.insert(targets[r]).second) words.push_back(targets[r]);
    return table.index_select(0, at::tensor(words, at::kLong));
}

void bound_rows(Head &head, const at::Tensor &logits) {
    int64_t n = logits.size(1);
    float *data = logits.data_ptr<float>();
    meno::parallel_rows(head.rows, 16, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            float *row = data + r * n;
            if (head.cap > 0) cap_row(row, n, head.cap);
            head.state[r].reference = top_of(row, n);
            head.state[r].bound = plain_exponents(row, n, head.state[r].reference).sum;
        }
    });
}

// Chunks by this project's own products: packed once, then every block of rows passes by.
void run_own(Head &head, const float *states) {
    namespace product = meno::product;
    int64_t hidden = head.hidden(), vocabulary = head.table.rows;
    bool dense = head.gradient && head.threshold == 0;
    int64_t wide = (hidden + product::kPanel - 1) / product::kPanel * product::kPanel;
    float *packed = product::scratch(kChunk * hidden + (dense ? kChunk * wide : 0));
    float *packed_back = packed + kChunk * hidden;
    meno::Shares blocks = product::row_blocks(head.rows);
    for (int64_t first = 0; first < vocabulary; first += kChunk) {
        int64_t n = std::min(kChunk, vocabulary - first);
        int64_t panels = (n + product::kPanel - 1) / product::kPanel;
        int64_t back = dense ? wide / product::kPanel : 0;
        meno::parallel(panels + back, [&](int64_t i) {
            if (i < panels) {
                int64_t count = std::min(product::kPanel, n - i * product::kPanel);
                product::pack_rows(head.table, first + i * product::kPanel, count, packed + i * product::kPanel * hidden);
            } else {
                int64_t place = (i - panels) * product::kPanel;
                product::pack_columns(
                    head.table.slice(first, n), place, std::min(product::kPanel, hidden - place), packed_back + place * n);
            }
        });
        meno::parallel(blocks.count, [&](int64_t block) {
            thread_local std::vector<float> logits(kRows * kChunk);
            int64_t begin = blocks.begin(block), m = blocks.size(block);
            product::multiply(
                states + begin * hidden, hidden, m, packed, hidden, n, logits.data(), kChunk, false);
            for (int64_t i = 0; i < m; ++i) head.take(begin + i, first, n, logits.data() + i * kChunk);
            if (dense)
                product::multiply(
                    logits.data(), kChunk, m, packed_back, n, hidden, head.gradient + begin * hidden, hidden, true);
        });
    }
}

// By products of blocks on the processor's matrix unit. A thread goes through the whole vocabulary with some of the rows, so
// that none waits for another; the table is the left side of the products, as it is, and the states, packed once, the right.
void run_tiles(Head &head, const uint16_t *states) {
    namespace tiles = meno::tiles;
    int64_t hidden = head.hidden(), vocabulary = head.table.rows;
    auto table = static_cast<const uint16_t *>(head.table.data);
    // The last words, where they are no whole block.
    std::vector<uint16_t> last(static_cast<size_t>(vocabulary % tiles::kBlock ? tiles::kBlock * hidden : 0));
    std::copy_n(
        table + vocabulary / tiles::kBlock * tiles::kBlock * hidden, vocabulary % tiles::kBlock * hidden, last.data());
    bool dense = head.gradient && head.threshold == 0;
    int64_t fewest = (head.rows + kTileRows - 1) / kTileRows, threads = at::get_num_threads();
    int64_t wanted = (fewest + threads - 1) / threads * threads;
    meno::Shares groups{head.rows, tiles::kBlock, std::min(wanted, tiles::whole_blocks(head.rows) / tiles::kBlock)};
    meno::parallel(groups.count, [&](int64_t group) {
        int64_t begin = groups.begin(group), rows = groups.size(group);
        std::vector<uint16_t> panels(static_cast<size_t>(tiles::whole_blocks(rows) * hidden));
        tiles::pack_rows(states + begin * hidden, hidden, rows, hidden, panels.data());
        std::vector<uint16_t> back(static_cast<size_t>(dense ? kChunk * hidden : 0)), weights(dense ? kBlockLogits : 0);
        std::vector<float> logits(kBlockLogits), sums(dense ? tiles::kBlock * hidden : 0);
        tiles::Session session;
        for (int64_t first = 0; first < vocabulary; first += kChunk) {
            int64_t n = std::min(kChunk, vocabulary - first), depth = tiles::whole_blocks(n);
            if (dense) tiles::pack_columns(table + first * hidden, hidden, hidden, n, back.data());
            for (int64_t i = 0; i < rows; i += tiles::kBlock) {
                for (int64_t word = 0; word < n; word += tiles::kBlock) {
                    const uint16_t *left = word + tiles::kBlock <= n ? table + (first + word) * hidden : last.data();
                    alignas(64) float block[tiles::kBlock * tiles::kBlock];
                    tiles::multiply_block(left, hidden, panels.data() + i * hidden, hidden, block, tiles::kBlock, false);
                    tiles::transpose_block(block, tiles::kBlock, logits.data() + word, kChunk);
                }
                int64_t here = std::min(tiles::kBlock, rows - i);
                for (int64_t r = 0; r < here; ++r) head.take(begin + i + r, first, n, logits.data() + r * kChunk);
                if (!dense) continue;
                for (int64_t r = 0; r < here; ++r) {
                    std::fill(logits.data() + r * kChunk + n, logits.data() + r * kChunk + depth, 0.0f);
                    tiles::narrow(logits.data() + r * kChunk, depth, weights.data() + r * kChunk);
                }
                float *gradient = head.gradient + (begin + i) * hidden;
                bool whole = here == tiles::kBlock;
                for (int64_t j = 0; j < hidden; j += tiles::kBlock)
                    tiles::multiply_block(
                        weights.data(), kChunk, back.data() + j * depth, depth, (whole ? gradient : sums.data()) + j, hidden,
                        whole);
                for (int64_t j = 0; !whole && j < here * hidden; ++j) gradient[j] += sums[static_cast<size_t>(j)];
            }
        }
    });
}

// Chunks by libtorch's products, in the type of the states; with a threshold, or without gradient, only.
void run_libtorch(Head &head, const at::Tensor &states, const at::Tensor &table) {
    constexpr int64_t width = 4 * kChunk;
    int64_t vocabulary = head.table.rows;
    bool half = states.scalar_type() == at::kBFloat16;
    at::Tensor rows = half ? meno::product::with_room(states) : states;
    at::Tensor buffer = at::empty({rows.size(0), width}, states.options());
    for (int64_t start = 0; start < vocabulary; start += width) {
        int64_t count = std::min(width, vocabulary - start);
        at::Tensor logits = count == width ? buffer : at::empty({rows.size(0), count}, states.options());
        at::mm_out(logits, rows, table.narrow(0, start, count).t());
        auto *data = static_cast<char *>(logits.data_ptr());
        meno::parallel_rows(head.rows, 8, [&](int64_t begin, int64_t end) {
            float row[kChunk];
            for (int64_t r = begin; r < end; ++r)
                for (int64_t first = 0; first < count; first += kChunk) {
                    int64_t n = std::min(kChunk, count - first), place = r * count + first;
                    if (half) convert(reinterpret_cast<uint16_t *>(data) + place, n, row);
                    else std::copy_n(reinterpret_cast<float *>(data) + place, n, row);
                    head.take(r, start + first, n, row);
                }
        });
    }
}

enum class Way { none, own, tiles, libtorch };

// How the loss of these is computed.
Way way_of(const at::Tensor &states, const at::Tensor &table, bool gradient, double threshold) {
    auto supported = [](const at::Tensor &tensor) {
        bool known = tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16;
        return tensor.is_cpu() && tensor.dim() == 2 && known;
    };
    if (!supported(states) || !supported(table) || states.size(1) != table.size(1)) return Way::none;
    if (meno::product::available() && states.scalar_type() == at::kFloat) return Way::own;
    if (states.scalar_type() != table.scalar_type()) return Way::none;
    bool half = states.scalar_type() == at::kBFloat16;
    if (half && meno::tiles::available() && states.size(1) % meno::tiles::kDepth == 0) return Way::tiles;
    return gradient && threshold == 0 ? Way::none : Way::libtorch;
}

}  // namespace

bool ct_has_vocabulary_loss(const ct_tensor *states, const ct_tensor *table, bool gradient, double threshold) {
    return way_of(states->value, table->value, gradient, threshold) != Way::none;
}

ct_status ct_vocabulary_centroids(const ct_tensor *table, ct_tensor **result) {
    return meno::guarded([&] {
        const at::Tensor &value = table->value;
        int64_t rows = value.size(0), chunks = (rows + kChunk - 1) / kChunk;
        at::Tensor centroids = at::empty({chunks, value.size(1)}, value.options().dtype(at::kFloat));
        for (int64_t i = 0; i < chunks; ++i) {
            at::Tensor chunk = value.narrow(0, i * kChunk, std::min(kChunk, rows - i * kChunk));
            centroids.select(0, i).copy_(chunk.to(at::kFloat).mean(0));
        }
        *result = meno::wrap(centroids);
    });
}

ct_status ct_vocabulary_loss(
    const ct_tensor *states, const ct_tensor *table, const ct_tensor *centroids, const int64_t *targets, int64_t rows,
    float softcap, double threshold, float *loss, uint8_t *correct, ct_tensor **gradient) {
    return meno::guarded([&] {
        const at::Tensor &x = states->value, &w = table->value;
        Way way = way_of(x, w, gradient != nullptr, threshold);
        TORCH_CHECK(
            way != Way::none && x.size(0) == rows && x.is_contiguous() && w.is_contiguous(),
            "expected contiguous states [", rows, ", hidden] and a table [vocabulary, hidden] on the CPU in types that ",
            "ct_has_vocabulary_loss takes, got ", x.scalar_type(), " ", x.sizes(), " and ", w.scalar_type(), " ", w.sizes());
        for (int64_t r = 0; r < rows; ++r)
            TORCH_CHECK(
                targets[r] >= 0 && targets[r] < w.size(0), "target ", targets[r], " is outside the vocabulary of ", w.size(0));
        TORCH_CHECK(!gradient || threshold == 0 || centroids, "a threshold needs the table's centroids");

        at::Tensor sums = gradient ? at::zeros({rows, x.size(1)}, x.options().dtype(at::kFloat)) : at::Tensor();
        Head head{
            matrix_of(w), targets, rows, softcap, threshold, centroids ? centroids->value.data_ptr<float>() : nullptr,
            gradient ? sums.data_ptr<float>() : nullptr, std::vector<Row>(static_cast<size_t>(rows))};
        if (gradient && threshold > 0 && rows > 0) {
            at::Tensor chosen = candidates(w, targets, rows);
            at::Tensor logits;
            if (way == Way::own) {
                logits = at::empty({rows, chosen.size(0)}, x.options());
                meno::product::multiply(x.data_ptr<float>(), rows, matrix_of(chosen), false, logits.data_ptr<float>());
            } else {
                logits = at::mm(x, chosen.t()).to(at::kFloat);
            }
            bound_rows(head, logits);
        }
        if (way == Way::own) run_own(head, x.data_ptr<float>());
        else if (way == Way::tiles) run_tiles(head, static_cast<const uint16_t *>(x.data_ptr()));
        else run_libtorch(head, x, w);
        meno::parallel_rows(rows, 16, [&](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r) {
                loss[r] = head.finish(r);
                correct[r] = head.state[r].best_index == targets[r];
            }
        });
        if (gradient) *gradient = meno::wrap(sums.to(x.scalar_type()));
    });
}
