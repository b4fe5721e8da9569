// The cross-entropy over a vocabulary by products of blocks on the processor's matrix unit.
//
// A thread goes through the whole vocabulary with some of the rows, so that none waits for another. The table is the left
// side of the products, as it is, and the states, packed once, the right: a block of logits is [words, rows], and what is
// done to one row's logits is done to sixteen rows' at once.

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>

#include "Memory.h"
#include "Parallel.h"
#include "Softmax.h"
#include "TileProduct.h"
#include "VocabularyLoss.h"

namespace {

using meno::product::kChunk;
using meno::tiles::kBlock;
using meno::vocabulary::Entries;
using meno::vocabulary::Head;
using meno::vocabulary::kHeadroom;
using meno::vocabulary::Row;

// Rows that a thread goes through the vocabulary with: as many as its second-level cache takes.
constexpr int64_t kGroup = 320;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What follows is done to blocks of logits [words, kBlock].

// The largest logit of each row; whether one is above the row's best.
MENO_VECTOR_CLONES bool tops_of(const float *block, int64_t words, const float *best, float *tops) {
    float lanes[kBlock];
    for (auto &lane : lanes) lane = -kInfinity;
    for (int64_t i = 0; i < words; ++i)
        for (int64_t r = 0; r < kBlock; ++r) lanes[r] = lanes[r] > block[i * kBlock + r] ? lanes[r] : block[i * kBlock + r];
    bool above = false;
    for (int64_t r = 0; r < kBlock; ++r) {
        tops[r] = lanes[r];
        above |= lanes[r] > best[r];
    }
    return above;
}

template <bool capped>
MENO_INLINE void exponents_of_rows(
    float *block, int64_t words, const float *references, float inverse_cap, double *sum, double *mass) {
    float sums[kBlock] = {}, masses[kBlock] = {}, reference[kBlock];
    std::copy_n(references, kBlock, reference);
    for (int64_t i = 0; i < words; ++i)
        for (int64_t r = 0; r < kBlock; ++r)
            block[i * kBlock + r] = exponent<capped>(block[i * kBlock + r], reference[r], inverse_cap, sums[r], masses[r]);
    for (int64_t r = 0; r < kBlock; ++r) {
        sum[r] += sums[r];
        mass[r] += capped ? masses[r] : sums[r];
    }
}

// z ← exp(z − reference) · dz/dx; adds them up.
MENO_VECTOR_CLONES void plain_exponents_of_rows(
    float *block, int64_t words, const float *reference, double *sum, double *mass) {
    exponents_of_rows<false>(block, words, reference, 0, sum, mass);
}
MENO_VECTOR_CLONES void capped_exponents_of_rows(
    float *block, int64_t words, const float *reference, float inverse_cap, double *sum, double *mass) {
    exponents_of_rows<true>(block, words, reference, inverse_cap, sum, mass);
}

typedef float Lanes __attribute__((ext_vector_type(16)));
typedef bool Bits __attribute__((ext_vector_type(16)));

// For each word a bit for each row whose exponent is not below its least; how many there are.
MENO_VECTOR_CLONES int64_t above_least(const float *block, int64_t words, const float *least, uint32_t *bits) {
    auto half = [](const float *values, const float *bounds) __attribute__((always_inline)) {
        Lanes value, bound;
        std::memcpy(&value, values, sizeof value);
        std::memcpy(&bound, bounds, sizeof bound);
        return static_cast<uint32_t>(std::bit_cast<uint16_t>(__builtin_convertvector(value >= bound, Bits)));
    };
    int64_t count = 0;
    for (int64_t i = 0; i < words; ++i) {
        bits[i] = half(block + i * kBlock, least) | half(block + i * kBlock + kLanes, least + kLanes) << kLanes;
        count += std::popcount(bits[i]);
    }
    return count;
}

// kBlock rows on their way through a chunk of the vocabulary; below the last row there are some that nothing is taken of.
class Rows {
  public:
    explicit Rows(Head &head) : head_(head) {}

    void enter(int64_t begin, int64_t count, int64_t first, int64_t n) {
        begin_ = begin;
        count_ = count;
        first_ = first;
        n_ = n;
        above_ = targets_ = 0;
        for (int64_t r = 0; r < kBlock; ++r) {
            const Row *row = r < count ? &head_.state[static_cast<size_t>(begin + r)] : nullptr;
            reference_[r] = row ? row->reference : 0;
            best_[r] = row ? row->best : kInfinity;
            least_[r] = row ? head_.least(*row) : kInfinity;
            sum_[r] = mass_[r] = 0;
            if (row && head_.targets[begin + r] >= first && head_.targets[begin + r] < first + n)
                with_target_[targets_++] = static_cast<int32_t>(r);
        }
    }

    // Where the logits [words, kBlock] from a word of the chunk on belong.
    float *block(int64_t word) { return values_ + word * kBlock; }

    // Takes them into account. They become exponents.
    void take(int64_t word, int64_t words) {
        float *block = this->block(word);
        if (head_.cap > 0) cap_row(block, words * kBlock, head_.cap);
        for (int64_t i = 0; i < targets_; ++i) {
            int64_t r = with_target_[i], place = head_.targets[begin_ + r] - first_ - word;
            if (place >= 0 && place < words) head_.take_target(row(r), block[place * kBlock + r]);
        }
        float tops[kBlock];
        if (tops_of(block, words, best_, tops))
            for (int64_t r = 0; r < count_; ++r)
                if (tops[r] > best_[r]) better(r, tops[r], word);
        if (head_.cap > 0) capped_exponents_of_rows(block, words, reference_, 1 / head_.cap, sum_, mass_);
        else plain_exponents_of_rows(block, words, reference_, sum_, mass_);
        if (head_.selects()) above_ += above_least(block, words, least_, bits_ + word);
    }

    // Whether so many entries count that the product of all of them is faster.
    bool dense() const { return head_.dense() || above_ > kMostGathered * count_ * n_; }

    void add_sums() {
        for (int64_t r = 0; r < count_; ++r) Head::add(row(r), sum_[r]);
    }

    // Σ exp · W of the entries that count.
    void gather() {
        for (auto &entries : entries_) entries.count = 0;
        for (int64_t i = 0; i < n_; ++i)
            for (uint32_t left = bits_[i]; left != 0; left &= left - 1) {
                int r = std::countr_zero(left);
                float weight = values_[i * kBlock + r];
                entries_[r].append(first_ + i, weight);
                mass_[r] -= weight;
            }
        for (int64_t r = 0; r < count_; ++r) head_.gather(begin_ + r, first_ / kChunk, entries_[r], mass_[r]);
    }

  private:
    Row &row(int64_t r) { return head_.state[static_cast<size_t>(begin_ + r)]; }

    void better(int64_t r, float top, int64_t word) {
        int64_t place = word;
        while (values_[place * kBlock + r] != top) ++place;
        best_[r] = row(r).best = top;
        row(r).best_index = first_ + place;
        if (!(top > reference_[r] + kHeadroom)) return;
        float factor = head_.raise(begin_ + r, top);
        reference_[r] = top;
        least_[r] *= factor;
        sum_[r] *= factor;
        mass_[r] *= factor;
        for (int64_t i = 0; i < word; ++i) values_[i * kBlock + r] *= factor;
    }

    // The largest share of entries that are gathered. One takes as long as twenty in a product, which has a part of the
    // table to pack as well.
    static constexpr double kMostGathered = 1.0 / 16;

    alignas(64) float values_[kChunk * kBlock];
    alignas(64) float reference_[kBlock], best_[kBlock], least_[kBlock];
    double sum_[kBlock], mass_[kBlock];
    uint32_t bits_[kChunk];
    int32_t with_target_[kBlock];
    int64_t targets_ = 0, begin_ = 0, count_ = 0, first_ = 0, n_ = 0, above_ = 0;
    Entries entries_[kBlock];
    Head &head_;
};

// Σ exp · W of every entry: exponents of some rows for a chunk, rounded to bfloat16, and their product with its embeddings.
class DenseGradient {
  public:
    explicit DenseGradient(const Head &head)
        : head_(head), values_(memory_.take<float>(kBlock * kChunk)), sums_(memory_.take<float>(kBlock * head.hidden())),
          weights_(memory_.take<uint16_t>(kBlock * kChunk)), table_(memory_.take<uint16_t>(kChunk * head.hidden())) {}

    // Of rows begin..<begin + count and n words from `first`; the exponents [words, kBlock].
    void add(int64_t begin, int64_t count, int64_t first, int64_t n, const float *exponents) {
        int64_t hidden = head_.hidden(), depth = meno::tiles::whole_blocks(n);
        if (first != packed_) {
            auto words = static_cast<const uint16_t *>(head_.table.data) + first * hidden;
            meno::tiles::pack_columns(words, hidden, hidden, n, table_);
            packed_ = first;
        }
        for (int64_t word = 0; word < n; word += kBlock)
            meno::tiles::transpose_block(exponents + word * kBlock, kBlock, values_ + word, kChunk);
        for (int64_t r = 0; r < count; ++r) {
            std::fill(values_ + r * kChunk + n, values_ + r * kChunk + depth, 0.0f);
            meno::tiles::narrow(values_ + r * kChunk, depth, weights_ + r * kChunk);
        }
        float *gradient = head_.gradient + begin * hidden;
        bool whole = count == kBlock;
        for (int64_t j = 0; j < hidden; j += kBlock)
            meno::tiles::multiply_block(
                weights_, kChunk, table_ + j * depth, depth, (whole ? gradient : sums_) + j, hidden, whole);
        for (int64_t j = 0; !whole && j < count * hidden; ++j) gradient[j] += sums_[j];
    }

  private:
    const Head &head_;
    meno::Memory memory_;
    float *values_, *sums_;
    uint16_t *weights_, *table_;
    int64_t packed_ = -1;
};

}  // namespace

void meno::vocabulary::run_tiles(Head &head, const uint16_t *states) {
    int64_t hidden = head.hidden(), vocabulary = head.table.rows;
    auto table = static_cast<const uint16_t *>(head.table.data);
    Memory memory;
    // The last words, where they are no whole block.
    int64_t odd = vocabulary % kBlock;
    auto last = memory.take<uint16_t>(kBlock * hidden);
    std::fill_n(std::copy_n(table + (vocabulary - odd) * hidden, odd * hidden, last), (kBlock - odd) * hidden, uint16_t(0));
    int64_t fewest = (head.rows + kGroup - 1) / kGroup, threads = at::get_num_threads();
    int64_t wanted = (fewest + threads - 1) / threads * threads;
    Shares groups{head.rows, kBlock, std::min(wanted, tiles::whole_blocks(head.rows) / kBlock)};
    parallel(groups.count, [&](int64_t group) {
        int64_t begin = groups.begin(group), rows = groups.size(group);
        Memory memory;
        auto panels = memory.take<uint16_t>(tiles::whole_blocks(rows) * hidden);
        tiles::pack_rows(states + begin * hidden, hidden, rows, hidden, panels);
        auto part = std::make_unique<Rows>(head);
        auto dense = head.gradient ? std::make_unique<DenseGradient>(head) : nullptr;
        tiles::Session session;
        for (int64_t first = 0; first < vocabulary; first += kChunk) {
            int64_t n = std::min(kChunk, vocabulary - first);
            for (int64_t i = 0; i < rows; i += kBlock) {
                int64_t count = std::min(kBlock, rows - i);
                part->enter(begin + i, count, first, n);
                for (int64_t word = 0; word < n; word += kBlock) {
                    bool whole = word + kBlock <= n;
                    const uint16_t *left = whole ? table + (first + word) * hidden : last;
                    tiles::multiply_block(left, hidden, panels + i * hidden, hidden, part->block(word), kBlock, false);
                    part->take(word, whole ? kBlock : n - word);
                }
                part->add_sums();
                if (!head.gradient) continue;
                if (part->dense()) dense->add(begin + i, count, first, n, part->block(0));
                else part->gather();
            }
        }
    });
}
