// The state of a cross-entropy over a vocabulary that is gone through chunk by chunk.
//
// The softmax is formed on line (Milakov and Gimelshein, 2018, arXiv:1805.02867): each row keeps a reference that its
// exponents are taken against, the sum of them, and Σ exp · W, and all are rescaled in the rare case that a much larger
// logit turns up. Where a threshold is given, Σ exp · W is formed of the few entries above it: the probabilities of a
// vocabulary of 10⁵ words are nearly all as good as zero (as in Cut Cross-Entropy, Wijmans et al., 2024, arXiv:2411.09009,
// which leaves out blocks of them). The rest is not dropped, but taken at the centroid of its chunk's embeddings.
#pragma once

#include <limits>
#include <vector>

#include "Entries.h"
#include "Product.h"
#include "Weight.h"

namespace meno::vocabulary {

using product::kChunk;
using product::Matrix;

// A logit that much above a row's reference makes it the new one; exp is finite to 88.
constexpr float kHeadroom = 40.0f;

struct Row {
    float reference = -std::numeric_limits<float>::infinity();
    double sum = 0;    // Σ exp(z − reference) over the chunks so far
    double bound = 0;  // what that sum will at least be, as far as logits in the states' type tell
    float best = -std::numeric_limits<float>::infinity();
    int64_t best_index = -1;
    float target_logit = 0;
    float target_derivative = 1;
};

struct Head {
    Matrix table;
    // What gradients take rows of: the table, or of a packed one the words from `first_word` on, decoded.
    Matrix words;
    int64_t first_word;
    const int64_t *targets;
    int64_t rows;
    float cap;               // 0: none
    double threshold;        // 0: every entry counts
    const float *centroids;  // [chunks, hidden]
    float *gradient;         // [rows, hidden], or null
    std::vector<Row> state;

    int64_t hidden() const { return table.columns; }
    bool dense() const { return gradient && threshold == 0; }
    bool selects() const { return gradient && threshold > 0; }
    // The words from `first` on, decoded, for those whose logits are taken next.
    void show(const Matrix &decoded, int64_t first) {
        words = decoded;
        first_word = first;
    }
    // The least exponent of a row that counts.
    float least(const Row &row) const { return static_cast<float>(threshold * row.bound); }

    // Takes the logits of row r for the chunk that begins at `first` into account. They become exponents.
    void take(int64_t r, int64_t first, int64_t n, float *logits);

    // The parts of that. The logit of the target:
    void take_target(Row &row, float logit) const;
    // a new reference, and the factor that exponents against the old one change by:
    float raise(int64_t r, float reference);
    // Σ exp over a chunk:
    static void add(Row &row, double sum);
    // Σ exp · W over a chunk, of which `mass` is not among the entries.
    void gather(int64_t r, int64_t chunk, const Entries &entries, double mass);

    // gradient ← gradient / Σ exp − W[target], both by dz/dx; the loss.
    float finish(int64_t r);

  private:
    void gather(float *out, const Entries &entries) const;
};

// Whether the loss of such states and tables is computed here. It takes float32 states where products are this project's own,
// and bfloat16 ones on a bfloat16 table; elsewhere both are of one type, and there is no exact gradient.
// A packed table is decoded a chunk at a time: for float32 states by these products, for bfloat16 ones by libtorch's.
bool takes(const at::Tensor &states, const product::Weight &table, bool exact);

// Goes through the vocabulary by products of blocks on the processor's matrix unit; bfloat16 states and table.
void run_tiles(Head &head, const uint16_t *states);

}  // namespace meno::vocabulary
