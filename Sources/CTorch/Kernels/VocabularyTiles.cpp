// The cross-entropy over a vocabulary by products of blocks on the processor's matrix unit.
//
// A thread goes through the whole vocabulary with some of the rows, so that none waits for another. The table is the left
// side of the products, as it is, and the states, packed once, the right: a block of logits is [words, rows], and what is
// done to one row's logits is done to sixteen rows' at once, while the unit computes the next block.

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

// Words whose logits become exponents at a time.
constexpr int64_t kWords = 4;
// Rows that a thread goes through the vocabulary with: as many as its second-level cache takes.
constexpr int64_t kGroup = 320;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

typedef float Lanes __attribute__((ext_vector_type(16)));
typedef bool Bits __attribute__((ext_vector_type(16)));

// What a block of logits [words, kBlock] adds to what is known of each row.
struct Tally {
    alignas(64) float tops[kBlock], sums[kBlock], masses[kBlock];  // the largest; Σ exp; Σ exp · dz/dx
    int64_t above;  // exponents that are not below the row's least

    void clear() {
        std::fill_n(tops, kBlock, -kInfinity);
        std::fill_n(sums, kBlock, 0.0f);
        std::fill_n(masses, kBlock, 0.0f);
        above = 0;
    }
};

// What it is measured by.
struct Bounds {
    alignas(64) float references[kBlock], least[kBlock];
};

// A bit for each row whose exponent is not below its least.
MENO_INLINE uint32_t not_below(const float *values, const float *least) {
    auto half = [](const float *values, const float *bounds) __attribute__((always_inline)) {
        Lanes value, bound;
        std::memcpy(&value, values, sizeof value);
        std::memcpy(&bound, bounds, sizeof bound);
        return static_cast<uint32_t>(std::bit_cast<uint16_t>(__builtin_convertvector(value >= bound, Bits)));
    };
    return half(values, least) | half(values + kLanes, least + kLanes) << kLanes;
}

template <bool capped, bool kept>
MENO_INLINE void exponents_of_rows(
    const float *logits, int64_t words, const Bounds &bounds, float inverse_cap, Tally &tally, float *values,
    uint32_t *bits) {
    Tally here = tally;
    Bounds by = bounds;
    for (int64_t i = 0; i < words; ++i) {
        float exponents[kBlock];
        for (int64_t r = 0; r < kBlock; ++r) {
            float z = logits[i * kBlock + r];
            here.tops[r] = here.tops[r] > z ? here.tops[r] : z;
            exponents[r] = exponent<capped>(z, by.references[r], inverse_cap, here.sums[r], here.masses[r]);
        }
        if constexpr (kept) {
            std::copy_n(exponents, kBlock, values + i * kBlock);
            bits[i] = not_below(exponents, by.least);
            here.above += std::popcount(bits[i]);
        }
    }
    tally = here;
}

// Takes logits [words, kBlock] into account. Where `values` is given, it becomes exp(z − reference) · dz/dx, and `bits` tell
// for each word which rows' are not below their least. With a cap, logits are bounded already.
MENO_VECTOR_CLONES void take_logits(
    const float *logits, int64_t words, const Bounds &bounds, float cap, Tally &tally, float *values, uint32_t *bits) {
    if (cap > 0)
        values ? exponents_of_rows<true, true>(logits, words, bounds, 1 / cap, tally, values, bits)
               : exponents_of_rows<true, false>(logits, words, bounds, 1 / cap, tally, values, bits);
    else
        values ? exponents_of_rows<false, true>(logits, words, bounds, 0, tally, values, bits)
               : exponents_of_rows<false, false>(logits, words, bounds, 0, tally, values, bits);
}

// kBlock rows on their way through a chunk of the vocabulary, a block of logits [words, kBlock] after another; below the
// last row there are some that nothing is taken of.
class Rows {
  public:
    explicit Rows(Head &head) : head_(head) {}

    void enter(int64_t begin, int64_t count, int64_t first, int64_t n) {
        begin_ = begin;
        count_ = count;
        first_ = first;
        n_ = n;
        above_ = targets_ = word_ = words_ = 0;
        for (int64_t r = 0; r < kBlock; ++r) {
            const Row *row = r < count ? &head_.state[static_cast<size_t>(begin + r)] : nullptr;
            bounds_.references[r] = row ? row->reference : 0;
            bounds_.least[r] = row ? head_.least(*row) : kInfinity;
            best_[r] = row ? row->best : kInfinity;
            sum_[r] = mass_[r] = 0;
            if (row && head_.targets[begin + r] >= first && head_.targets[begin + r] < first + n)
                with_target_[targets_++] = static_cast<int32_t>(r);
        }
    }

    // Where the next block's logits belong. The block before it stays until that one has arrived.
    float *next() { return logits_[1 - current_]; }

    // The next block has arrived, of which so many words are some of the chunk; the one before it has been taken.
    void arrive(int64_t words) {
        if (words_ > 0) settle();
        word_ += words_;
        words_ = words;
        current_ = 1 - current_;
        tally_.clear();
    }

    // The pieces in which the block's logits become exponents.
    int64_t pieces() const { return (words_ + kWords - 1) / kWords; }
    void take(int64_t piece) {
        int64_t from = piece * kWords, count = std::min(kWords, words_ - from);
        if (head_.cap > 0) cap_row(logits_[current_] + from * kBlock, count * kBlock, head_.cap);
        take_bounded(from, count);
    }

    // The last block has been taken.
    void leave() {
        settle();
        for (int64_t r = 0; r < count_; ++r) Head::add(row(r), sum_[r]);
    }

    // Whether so many entries count that the product of all of them is faster.
    bool dense() const { return head_.dense() || above_ > kMostGathered * count_ * n_; }

    // exp · dz/dx of the chunk [n, kBlock].
    const float *values() const { return values_; }

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

    void take_bounded(int64_t from, int64_t count) {
        float *values = head_.gradient ? values_ + (word_ + from) * kBlock : nullptr;
        take_logits(
            logits_[current_] + from * kBlock, count, bounds_, head_.cap, tally_, values, bits_ + word_ + from);
    }

    // What a block that has been taken changes in what is known of the rows.
    void settle() {
        const float *logits = logits_[current_];
        for (int64_t i = 0; i < targets_; ++i) {
            int64_t r = with_target_[i], place = head_.targets[begin_ + r] - first_ - word_;
            if (place >= 0 && place < words_) head_.take_target(row(r), logits[place * kBlock + r]);
        }
        bool raised = false;
        for (int64_t r = 0; r < count_; ++r)
            if (tally_.tops[r] > best_[r]) raised |= better(r, tally_.tops[r], logits);
        if (raised) {  // once more, against references that they are not too far above
            tally_.clear();
            take_bounded(0, words_);
        }
        for (int64_t r = 0; r < count_; ++r) {
            sum_[r] += tally_.sums[r];
            mass_[r] += head_.cap > 0 ? tally_.masses[r] : tally_.sums[r];
        }
        above_ += tally_.above;
    }

    // A row's largest logit so far; whether it makes a new reference.
    bool better(int64_t r, float top, const float *logits) {
        int64_t place = 0;
        while (logits[place * kBlock + r] != top) ++place;
        best_[r] = row(r).best = top;
        row(r).best_index = first_ + word_ + place;
        if (!(top > bounds_.references[r] + kHeadroom)) return false;
        float factor = head_.raise(begin_ + r, top);
        bounds_.references[r] = top;
        bounds_.least[r] *= factor;
        sum_[r] *= factor;
        mass_[r] *= factor;
        for (int64_t i = 0; head_.gradient && i < word_; ++i) values_[i * kBlock + r] *= factor;
        return true;
    }

    // The largest share of entries that are gathered. One takes as long as twenty in a product, which has a part of the
    // table to pack as well.
    static constexpr double kMostGathered = 1.0 / 16;

    alignas(64) float logits_[2][kBlock * kBlock];
    alignas(64) float values_[kChunk * kBlock];
    Bounds bounds_;
    Tally tally_;
    float best_[kBlock];
    double sum_[kBlock], mass_[kBlock];
    uint32_t bits_[kChunk];
    int32_t with_target_[kBlock];
    int64_t targets_ = 0, begin_ = 0, count_ = 0, first_ = 0, n_ = 0, above_ = 0;
    int64_t current_ = 0, word_ = 0, words_ = 0;  // the block's place among the logits, its first word in the chunk, its words
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
        auto take = [&](int64_t piece) { part->take(piece); };
        auto dense = head.gradient ? std::make_unique<DenseGradient>(head) : nullptr;
        tiles::Session session;
        for (int64_t first = 0; first < vocabulary; first += kChunk) {
            int64_t n = std::min(kChunk, vocabulary - first);
            for (int64_t i = 0; i < rows; i += kBlock) {
                int64_t count = std::min(kBlock, rows - i);
                part->enter(begin + i, count, first, n);
                // A block's logits become exponents while the next one's are formed.
                for (int64_t word = 0; word < n; word += kBlock) {
                    bool whole = word + kBlock <= n;
                    const uint16_t *left = whole ? table + (first + word) * hidden : last;
                    tiles::multiply_block(
                        left, hidden, panels + i * hidden, hidden, part->next(), kBlock, false,
                        {part->pieces(), take});
                    part->arrive(whole ? kBlock : n - word);
                }
                for (int64_t piece = 0; piece < part->pieces(); ++piece) take(piece);
                part->leave();
                if (!head.gradient) continue;
                if (part->dense()) dense->add(begin + i, count, first, n, part->values());
                else part->gather();
            }
        }
    });
}
