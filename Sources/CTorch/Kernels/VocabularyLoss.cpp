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
#include "FrozenProduct.h"
#include "Parallel.h"
#include "Product.h"
#include "Vector.h"

namespace {

using meno::product::kChunk;
using meno::product::kRows;
using meno::product::Matrix;
using meno::product::matrix_of;
using meno::product::Type;

// A logit that much above a row's reference makes it the new one; exp is finite to 88.
constexpr float kHeadroom = 40.0f;
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

struct Entry {
    int32_t word;
    float weight;
};

// What one row of a chunk adds.
struct ChunkResult {
    float top;
    double sum;   // Σ exp(z − reference)
    double mass;  // Σ exp(z − reference) · dz/dx
};

MENO_VECTOR_CLONES float top_of(const float *row, int64_t n) {
    float lanes[kLanes];
    for (auto &lane : lanes) lane = -std::numeric_limits<float>::infinity();
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) lanes[l] = lanes[l] > row[i + l] ? lanes[l] : row[i + l];
    float top = lanes[0];
    for (int64_t l = 1; l < kLanes; ++l) top = top > lanes[l] ? top : lanes[l];
    for (; i < n; ++i) top = top > row[i] ? top : row[i];
    return top;
}

MENO_VECTOR_CLONES void cap_row(float *row, int64_t n, float cap) {
    float inverse = 1.0f / cap;
    for (int64_t i = 0; i < n; ++i) row[i] = capped_logit<true>(row[i], cap, inverse);
}

MENO_VECTOR_CLONES void widen(const uint16_t *from, int64_t n, float *to) {
    for (int64_t i = 0; i < n; ++i) to[i] = BFloat16::load(from[i]);
}

// row ← exp(z − reference) · dz/dx.
template <bool capped>
MENO_INLINE ChunkResult exponents(float *row, int64_t n, float reference, float inverse_cap) {
    float sums[kLanes] = {}, masses[kLanes] = {};
    double sum = 0, mass = 0;
    auto term = [&](float z, float &add_sum, float &add_mass) __attribute__((always_inline)) {
        float e = vector_exp(z - reference);
        add_sum += e;
        if constexpr (!capped) return e;
        float share = z * inverse_cap;
        float weighted = e * (1.0f - share * share);
        add_mass += weighted;
        return weighted;
    };
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) row[i + l] = term(row[i + l], sums[l], masses[l]);
    for (; i < n; ++i) row[i] = term(row[i], sums[0], masses[0]);
    for (float lane : sums) sum += lane;
    for (float lane : masses) mass += lane;
    return {0, sum, capped ? mass : sum};
}

MENO_VECTOR_CLONES ChunkResult plain_exponents(float *row, int64_t n, float reference) {
    return exponents<false>(row, n, reference, 0);
}
MENO_VECTOR_CLONES ChunkResult capped_exponents(float *row, int64_t n, float reference, float inverse_cap) {
    return exponents<true>(row, n, reference, inverse_cap);
}

// The entries of a row that are not below the threshold, and their sum.
MENO_VECTOR_CLONES int64_t select(const float *row, int64_t n, float threshold, int32_t first, Entry *entries, double *sum) {
    int64_t count = 0;
    double total = 0;
    for (int64_t i = 0; i < n; i += kLanes) {
        int64_t width = std::min(kLanes, n - i);
        float top = 0;
        if (width == kLanes)
            for (int64_t l = 0; l < kLanes; ++l) top = top > row[i + l] ? top : row[i + l];
        else
            top = threshold;
        if (top < threshold) continue;
        for (int64_t l = 0; l < width; ++l)
            if (row[i + l] >= threshold) {
                entries[count++] = {first + static_cast<int32_t>(i + l), row[i + l]};
                total += row[i + l];
            }
    }
    *sum = total;
    return count;
}

// out += Σ weight · table[word], 64 columns at a time in registers.
template <class Element>
MENO_INLINE void gather_sum(
    float *out, const Entry *entries, int64_t count, const typename Element::Storage *table, int64_t columns) {
    constexpr int64_t width = 64;
    int64_t start = 0;
    for (; start + width <= columns; start += width) {
        float sums[width];
        for (int64_t l = 0; l < width; ++l) sums[l] = out[start + l];
        for (int64_t e = 0; e < count; ++e) {
            const auto *row = table + entries[e].word * columns + start;
            float weight = entries[e].weight;
            for (int64_t l = 0; l < width; ++l) sums[l] += weight * Element::load(row[l]);
        }
        for (int64_t l = 0; l < width; ++l) out[start + l] = sums[l];
    }
    for (int64_t e = 0; e < count && start < columns; ++e)
        for (int64_t l = start; l < columns; ++l)
            out[l] += entries[e].weight * Element::load(table[entries[e].word * columns + l]);
}

MENO_VECTOR_CLONES void gather_float32(float *out, const Entry *entries, int64_t count, const void *table, int64_t columns) {
    gather_sum<Float32>(out, entries, count, static_cast<const float *>(table), columns);
}
MENO_VECTOR_CLONES void gather_bfloat16(float *out, const Entry *entries, int64_t count, const void *table, int64_t columns) {
    gather_sum<BFloat16>(out, entries, count, static_cast<const uint16_t *>(table), columns);
}

MENO_VECTOR_CLONES void scale_row(float *row, int64_t n, float factor) {
    for (int64_t i = 0; i < n; ++i) row[i] *= factor;
}

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

    void gather(float *out, const Entry *entries, int64_t count) const {
        (table.type == Type::float32 ? gather_float32 : gather_bfloat16)(out, entries, count, table.data, hidden());
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
            Entry entries[kChunk + 1];
            double kept;
            auto least = static_cast<float>(threshold * row.bound);
            int64_t count = select(logits, n, least, static_cast<int32_t>(first), entries, &kept);
            float *out = gradient + r * hidden();
            gather(out, entries, count);
            Entry rest{static_cast<int32_t>(first / kChunk), static_cast<float>(std::max(0.0, result.mass - kept))};
            gather_float32(out, &rest, 1, centroids, hidden());
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
            Entry target{static_cast<int32_t>(targets[r]), -row.target_derivative};
            gather(out, &target, 1);
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
    int64_t blocks = (head.rows + kRows - 1) / kRows;
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
        meno::parallel(blocks, [&](int64_t block) {
            thread_local std::vector<float> logits(kRows * kChunk);
            int64_t begin = block * kRows, m = std::min(kRows, head.rows - begin);
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
                    if (half) widen(reinterpret_cast<uint16_t *>(data) + place, n, row);
                    else std::copy_n(reinterpret_cast<float *>(data) + place, n, row);
                    head.take(r, start + first, n, row);
                }
        });
    }
}

}  // namespace

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
        auto supported = [](const at::Tensor &t) { return meno::has_vector_kernels(t) && t.dim() == 2; };
        TORCH_CHECK(
            supported(x) && supported(w) && x.size(0) == rows && x.size(1) == w.size(1),
            "expected contiguous states [", rows, ", hidden] and a table [vocabulary, hidden] on the CPU in float32 or ",
            "bfloat16, got ", x.sizes(), " and ", w.sizes());
        for (int64_t r = 0; r < rows; ++r)
            TORCH_CHECK(
                targets[r] >= 0 && targets[r] < w.size(0), "target ", targets[r], " is outside the vocabulary of ", w.size(0));
        bool own = meno::product::available() && x.scalar_type() == at::kFloat;
        TORCH_CHECK(own || !gradient || threshold > 0, "a gradient by libtorch's products needs a threshold");
        TORCH_CHECK(own || x.scalar_type() == w.scalar_type(), "states and table are of different types");
        TORCH_CHECK(!gradient || threshold == 0 || centroids, "a threshold needs the table's centroids");

        at::Tensor sums = gradient ? at::zeros({rows, x.size(1)}, x.options().dtype(at::kFloat)) : at::Tensor();
        Head head{
            matrix_of(w), targets, rows, softcap, threshold, centroids ? centroids->value.data_ptr<float>() : nullptr,
            gradient ? sums.data_ptr<float>() : nullptr, std::vector<Row>(static_cast<size_t>(rows))};
        if (gradient && threshold > 0 && rows > 0) {
            at::Tensor chosen = candidates(w, targets, rows);
            at::Tensor logits;
            if (own) {
                logits = at::empty({rows, chosen.size(0)}, x.options());
                meno::product::multiply(x.data_ptr<float>(), rows, matrix_of(chosen), false, logits.data_ptr<float>());
            } else {
                logits = at::mm(x, chosen.t()).to(at::kFloat);
            }
            bound_rows(head, logits);
        }
        if (own) run_own(head, x.data_ptr<float>());
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
