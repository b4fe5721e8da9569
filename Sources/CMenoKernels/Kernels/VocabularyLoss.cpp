// The cross-entropy of a frozen language-model head and its gradient with respect to the hidden states, chunk by chunk of
// the vocabulary while the logits of a chunk are in the caches; see Operators.h for what is computed.

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "VocabularyLoss.h"

#include "../Internal.h"
#include "../Operators.h"
#include "Conversion.h"
#include "FrozenProduct.h"
#include "PanelTile.h"
#include "Parallel.h"
#include "Product.h"
#include "Softmax.h"
#include "TileProduct.h"

namespace meno::vocabulary {

using product::Type;

void Head::take(int64_t r, int64_t first, int64_t n, float *logits) {
    Row &row = state[r];
    if (cap > 0) cap_row(logits, n, cap);
    int64_t target = targets[r] - first;
    if (target >= 0 && target < n) take_target(row, logits[target]);
    float top = top_of(logits, n);
    if (top > row.best) {
        row.best = top;
        row.best_index = first + (std::find(logits, logits + n, top) - logits);
    }
    if (top > row.reference + kHeadroom) raise(r, top);
    auto result = cap > 0 ? capped_exponents(logits, n, row.reference, 1 / cap) : plain_exponents(logits, n, row.reference);
    add(row, result.sum);
    if (!selects()) return;
    Entries entries;
    double kept = select(logits, n, least(row), static_cast<int32_t>(first), entries);
    gather(r, first / kChunk, entries, result.mass - kept);
}

void Head::take_target(Row &row, float logit) const {
    row.target_logit = logit;
    float share = cap > 0 ? logit / cap : 0;
    row.target_derivative = 1 - share * share;
}

float Head::raise(int64_t r, float reference) {
    Row &row = state[r];
    float factor = vector_exp(row.reference - reference);
    row.reference = reference;
    row.sum *= factor;
    row.bound *= factor;
    if (gradient) scale_row(gradient + r * hidden(), hidden(), factor);
    return factor;
}

void Head::add(Row &row, double sum) {
    row.sum += sum;
    row.bound = std::max(row.bound, row.sum);
}

void Head::gather(float *out, const Entries &entries) const {
    (words.type == Type::float32 ? gather_float32 : gather_bfloat16)(out, entries, words.data, hidden(), first_word);
}

void Head::gather(int64_t r, int64_t chunk, const Entries &entries, double mass) {
    float *out = gradient + r * hidden();
    gather(out, entries);
    gather_float32(out, Entries(chunk, static_cast<float>(std::max(0.0, mass))), centroids, hidden());
}

float Head::finish(int64_t r) {
    Row &row = state[r];
    if (gradient) {
        float *out = gradient + r * hidden();
        scale_row(out, hidden(), static_cast<float>(1 / row.sum));
        Entries target(targets[r], -row.target_derivative);
        if (table.type == Type::packed) {
            thread_local std::vector<float> embedding;
            embedding.resize(static_cast<size_t>(hidden()));
            table.packed->decode(*table.packed, targets[r], 0, hidden(), embedding.data());
            gather_float32(out, target, embedding.data(), hidden(), targets[r]);
        } else {
            gather(out, target);
        }
    }
    return static_cast<float>(std::log(row.sum) + (static_cast<double>(row.reference) - row.target_logit));
}

}  // namespace meno::vocabulary

namespace {

using meno::product::kChunk;
using meno::product::matrix_of;
using meno::product::Type;
using meno::product::Weight;
using meno::vocabulary::Head;
using meno::vocabulary::Row;

// Distinct targets whose logits give the first bound on a row's sum.
constexpr int64_t kCandidates = 512;

// The logits of some distinct targets: candidates for a row's large ones. What they sum to is a bound from the start.
at::Tensor candidates(const Weight &table, at::ScalarType type, const int64_t *targets, int64_t rows) {
    std::vector<int64_t> words;
    std::unordered_set<int64_t> seen;
    for (int64_t r = 0; r < rows && static_cast<int64_t>(words.size()) < kCandidates; ++r)
        if (seen.insert(targets[r]).second) words.push_back(targets[r]);
    return table.values_at(type, at::tensor(words, at::kLong));
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
void run_own(Head &head, const float *states, const Weight &table) {
    namespace product = meno::product;
    int64_t hidden = head.hidden(), vocabulary = head.table.rows;
    bool dense = head.dense();
    int64_t wide = (hidden + product::kPanel - 1) / product::kPanel * product::kPanel;
    float *packed = product::scratch(kChunk * hidden + (dense ? kChunk * wide : 0));
    float *packed_back = packed + kChunk * hidden;
    meno::Shares blocks = product::row_blocks(head.rows);
    for (int64_t first = 0; first < vocabulary; first += kChunk) {
        int64_t n = std::min(kChunk, vocabulary - first);
        int64_t panels = (n + product::kPanel - 1) / product::kPanel;
        // Of a packed table the chunk, decoded once for all that is done with it.
        at::Tensor decoded = table.is_packed() ? table.values(at::kFloat, first, n) : at::Tensor();
        product::Matrix words = table.is_packed() ? matrix_of(decoded) : head.table.slice(first, n);
        if (table.is_packed()) head.show(words, first);
        int64_t back = dense ? wide / product::kPanel : 0;
        meno::parallel(panels + back, [&](int64_t i) {
            if (i < panels) {
                int64_t count = std::min(product::kPanel, n - i * product::kPanel);
                product::pack_rows(words, i * product::kPanel, count, packed + i * product::kPanel * hidden);
            } else {
                int64_t place = (i - panels) * product::kPanel;
                product::pack_columns(
                    words, place, std::min(product::kPanel, hidden - place), packed_back + place * n);
            }
        });
        meno::parallel(blocks.count, [&](int64_t block) {
            thread_local std::vector<float> logits(product::panel_tile().rows * kChunk);
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

// Chunks by libtorch's products, in the type of the states; with a threshold, or without gradient, only.
void run_libtorch(Head &head, const at::Tensor &states, const Weight &table) {
    constexpr int64_t width = 4 * kChunk;
    int64_t vocabulary = head.table.rows;
    bool half = states.scalar_type() == at::kBFloat16;
    at::Tensor rows = half ? meno::product::with_room(states) : states;
    at::Tensor buffer = at::empty({rows.size(0), width}, states.options());
    for (int64_t start = 0; start < vocabulary; start += width) {
        int64_t count = std::min(width, vocabulary - start);
        at::Tensor logits = count == width ? buffer : at::empty({rows.size(0), count}, states.options());
        at::Tensor words = table.values(states.scalar_type(), start, count);
        if (table.is_packed()) head.show(matrix_of(words), start);
        at::mm_out(logits, rows, words.t());
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

// How the loss of these is computed; `exact`: with a gradient of which every entry is wanted.
Way way_of(const at::Tensor &states, const Weight &weight, bool exact) {
    auto supported = [](const at::Tensor &tensor) {
        bool known = tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16;
        return tensor.is_cpu() && tensor.dim() == 2 && known;
    };
    if (!supported(states) || states.size(1) != weight.columns()) return Way::none;
    if (weight.is_packed()) {
        if (states.scalar_type() == at::kFloat) return meno::product::available() ? Way::own : Way::none;
        return exact ? Way::none : Way::libtorch;
    }
    const at::Tensor &table = weight.dense();
    if (!supported(table)) return Way::none;
    if (meno::product::available() && states.scalar_type() == at::kFloat) return Way::own;
    if (states.scalar_type() != table.scalar_type()) return Way::none;
    bool half = states.scalar_type() == at::kBFloat16;
    if (half && meno::tiles::available() && states.size(1) % meno::tiles::kDepth == 0) return Way::tiles;
    return exact ? Way::none : Way::libtorch;
}

}  // namespace

bool meno::vocabulary::takes(const at::Tensor &states, const product::Weight &table, bool exact) {
    return way_of(states, table, exact) != Way::none;
}

at::Tensor meno::operators::vocabulary_centroids(at::TensorList parts, std::string_view format) {
    Weight table(parts, format);
    int64_t rows = table.rows(), chunks = (rows + kChunk - 1) / kChunk;
    at::Tensor centroids = at::empty({chunks, table.columns()}, parts[0].options().dtype(at::kFloat));
    for (int64_t i = 0; i < chunks; ++i) {
        at::Tensor chunk = table.values(at::kFloat, i * kChunk, std::min(kChunk, rows - i * kChunk));
        centroids.select(0, i).copy_(chunk.to(at::kFloat).mean(0));
    }
    return centroids;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> meno::operators::vocabulary_loss(
    const at::Tensor &states, at::TensorList table, std::string_view format, const std::optional<at::Tensor> &centroids,
    const at::Tensor &targets, double softcap, double threshold, bool gradient) {
    const at::Tensor &x = states;
    Weight w(table, format);
    Way way = way_of(x, w, gradient && threshold == 0);
    int64_t rows = x.size(0);
    TORCH_CHECK(
        way != Way::none && x.is_contiguous() && (w.is_packed() || w.dense().is_contiguous()),
        "expected contiguous states [rows, hidden] and a table [vocabulary, hidden] on the CPU in types that go together, got ",
        x.scalar_type(), " ", x.sizes(), " and ", table[0].scalar_type(), " [", w.rows(), ", ", w.columns(), "]");
    TORCH_CHECK(
        targets.is_cpu() && targets.is_contiguous() && targets.scalar_type() == at::kLong && targets.numel() == rows,
        "expected an int64 target for each of ", rows, " rows on the CPU, got ", targets.sizes());
    auto *target = targets.const_data_ptr<int64_t>();
    for (int64_t r = 0; r < rows; ++r)
        TORCH_CHECK(
            target[r] >= 0 && target[r] < w.rows(), "target ", target[r], " is outside the vocabulary of ", w.rows());
    std::vector<int64_t> chunks{(w.rows() + kChunk - 1) / kChunk, w.columns()};
    TORCH_CHECK(
        !gradient || threshold == 0 || (centroids && centroids->sizes() == at::IntArrayRef(chunks)),
        "a threshold needs the table's centroids ", chunks);

    at::Tensor losses = at::empty({rows}, at::kFloat), correct = at::empty({rows}, at::kByte);
    at::Tensor sums = gradient ? at::zeros({rows, x.size(1)}, x.options().dtype(at::kFloat)) : at::Tensor();
    Head head{
        w.matrix(), w.matrix(), 0, target, rows, static_cast<float>(softcap), threshold,
        centroids ? centroids->const_data_ptr<float>() : nullptr, gradient ? sums.data_ptr<float>() : nullptr,
        std::vector<Row>(static_cast<size_t>(rows))};
    if (gradient && threshold > 0 && rows > 0) {
        at::Tensor chosen = candidates(w, x.scalar_type(), target, rows);
        at::Tensor logits = product::empty_rows({rows, chosen.size(0)}, x.options());
        product::multiply(x, chosen, false, logits);
        bound_rows(head, logits.to(at::kFloat));
    }
    if (way == Way::own) run_own(head, x.data_ptr<float>(), w);
    else if (way == Way::tiles) vocabulary::run_tiles(head, static_cast<const uint16_t *>(x.data_ptr()));
    else run_libtorch(head, x, w);
    auto *loss = losses.data_ptr<float>();
    auto *is_correct = correct.data_ptr<uint8_t>();
    parallel_rows(rows, 16, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            loss[r] = head.finish(r);
            is_correct[r] = head.state[r].best_index == target[r];
        }
    });
    return {losses, correct, gradient ? sums.to(x.scalar_type()) : at::Tensor()};
}
