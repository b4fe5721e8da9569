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
#include <vector>

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
// Bytes that a thread keeps in its second-level cache on the way through the vocabulary.
constexpr int64_t kKept = 1100000;
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

// A block of logits [words, kBlock], words word..<word + words of a chunk.
struct Block {
    float *logits;
    int64_t word, words;
};

// kBlock rows on their way through a chunk of the vocabulary, a block of logits after another; below the last row there are
// some that nothing is taken of. With a gradient, the exponents of the whole chunk are kept.
class Rows {
  public:
    Rows(Head &head, int64_t begin, int64_t count, meno::Memory &memory)
        : values_(head.gradient ? memory.take<float>(kChunk * kBlock) : nullptr),
          bits_(head.gradient ? memory.take<uint32_t>(kChunk) : nullptr), begin_(begin), count_(count), head_(head) {}

    // What follows are n words from `first`.
    void enter(int64_t first, int64_t n) {
        first_ = first;
        n_ = n;
        above_ = targets_ = 0;
        tally_.clear();
        for (int64_t r = 0; r < kBlock; ++r) {
            const Row *row = r < count_ ? &head_.state[static_cast<size_t>(begin_ + r)] : nullptr;
            bounds_.references[r] = row ? row->reference : 0;
            bounds_.least[r] = row ? head_.least(*row) : kInfinity;
            best_[r] = row ? row->best : kInfinity;
            sum_[r] = mass_[r] = 0;
            if (row && head_.targets[begin_ + r] >= first && head_.targets[begin_ + r] < first + n)
                with_target_[targets_++] = static_cast<int32_t>(r);
        }
    }

    // Logits of a part of a block become exponents.
    void take(const Block &part) {
        if (head_.cap > 0) cap_row(part.logits, part.words * kBlock, head_.cap);
        take_bounded(part);
    }

    // All parts of a block have been taken: what that changes in what is known of the rows.
    void settle(const Block &block) {
        for (int64_t i = 0; i < targets_; ++i) {
            int64_t r = with_target_[i], place = head_.targets[begin_ + r] - first_ - block.word;
            if (place >= 0 && place < block.words) head_.take_target(row(r), block.logits[place * kBlock + r]);
        }
        bool raised = false;
        for (int64_t r = 0; r < count_; ++r)
            if (tally_.tops[r] > best_[r]) raised |= better(r, tally_.tops[r], block);
        if (raised) {  // once more, against references that they are not too far above
            tally_.clear();
            take_bounded(block);
        }
        for (int64_t r = 0; r < count_; ++r) {
            sum_[r] += tally_.sums[r];
            mass_[r] += head_.cap > 0 ? tally_.masses[r] : tally_.sums[r];
        }
        above_ += tally_.above;
        tally_.clear();
    }

    void leave() {
        for (int64_t r = 0; r < count_; ++r) Head::add(row(r), sum_[r]);
    }

    // Whether so many entries count that the product of all of them is faster.
    bool dense() const { return head_.dense() || above_ > kMostGathered * count_ * n_; }

    int64_t begin() const { return begin_; }
    int64_t count() const { return count_; }
    int64_t first() const { return first_; }
    int64_t words() const { return n_; }
    // exp · dz/dx of the chunk [words, kBlock].
    const float *values() const { return values_; }

    // Σ exp · W of the entries that count, which are collected in `entries` of each row.
    void gather(Entries *entries) {
        for (int64_t r = 0; r < kBlock; ++r) entries[r].count = 0;
        for (int64_t i = 0; i < n_; ++i)
            for (uint32_t left = bits_[i]; left != 0; left &= left - 1) {
                int r = std::countr_zero(left);
                float weight = values_[i * kBlock + r];
                entries[r].append(first_ + i, weight);
                mass_[r] -= weight;
            }
        for (int64_t r = 0; r < count_; ++r) head_.gather(begin_ + r, first_ / kChunk, entries[r], mass_[r]);
    }

  private:
    Row &row(int64_t r) { return head_.state[static_cast<size_t>(begin_ + r)]; }

    void take_bounded(const Block &part) {
        float *values = values_ ? values_ + part.word * kBlock : nullptr;
        take_logits(part.logits, part.words, bounds_, head_.cap, tally_, values, values_ ? bits_ + part.word : nullptr);
    }

    // A row's largest logit so far; whether it makes a new reference.
    bool better(int64_t r, float top, const Block &block) {
        int64_t place = 0;
        while (block.logits[place * kBlock + r] != top) ++place;
        best_[r] = row(r).best = top;
        row(r).best_index = first_ + block.word + place;
        if (!(top > bounds_.references[r] + kHeadroom)) return false;
        float factor = head_.raise(begin_ + r, top);
        bounds_.references[r] = top;
        bounds_.least[r] *= factor;
        sum_[r] *= factor;
        mass_[r] *= factor;
        for (int64_t i = 0; values_ && i < block.word; ++i) values_[i * kBlock + r] *= factor;
        return true;
    }

    // The largest share of entries that are gathered. One takes as long as twenty in a product, which has a part of the
    // table to pack as well.
    static constexpr double kMostGathered = 1.0 / 16;

    float *values_;
    uint32_t *bits_;
    Bounds bounds_;
    Tally tally_;
    float best_[kBlock];
    double sum_[kBlock], mass_[kBlock];
    int32_t with_target_[kBlock];
    int64_t begin_, count_, first_ = 0, n_ = 0, targets_ = 0, above_ = 0;
    Head &head_;
};

// Words that are needed next, on their way from memory to the second-level cache. Few are asked for at a time: each waits
// in one of the places that the product's own operands come through.
class Ahead {
  public:
    Ahead(const uint16_t *from, int64_t count) : at_(from), end_(from + count) {}

    void ask(int64_t count) {
        constexpr int64_t line = 32;  // values
        for (auto end = count < end_ - at_ ? at_ + count : end_; at_ < end; at_ += line) __builtin_prefetch(at_, 0, 2);
    }

  private:
    const uint16_t *at_, *end_;
};

// A block of logits that becomes exponents while the next one is formed.
class Pending {
  public:
    // Where the next block belongs.
    float *next() { return logits_[1 - current_]; }

    // Those of the block, and one of them taken.
    int64_t pieces() const { return rows_ ? (block_.words + kWords - 1) / kWords : 0; }
    void take(int64_t piece) {
        int64_t from = piece * kWords;
        rows_->take({block_.logits + from * kBlock, block_.word + from, std::min(kWords, block_.words - from)});
    }

    // The next block is there, and all pieces of this one have been taken.
    void settle(Rows *rows, int64_t word, int64_t words) {
        if (rows_) rows_->settle(block_);
        rows_ = rows;
        block_ = {next(), word, words};
        current_ = 1 - current_;
    }

    // No block comes next.
    void finish() {
        for (int64_t piece = 0; piece < pieces(); ++piece) take(piece);
        settle(nullptr, 0, 0);
    }

  private:
    alignas(64) float logits_[2][kBlock * kBlock];
    int64_t current_ = 0;
    Rows *rows_ = nullptr;
    Block block_{};
};

// Σ exp · W of every entry: exponents of some rows for a chunk, rounded to bfloat16, and their product with its embeddings.
class DenseGradient {
  public:
    explicit DenseGradient(const Head &head)
        : head_(head), values_(memory_.take<float>(kBlock * kChunk)), sums_(memory_.take<float>(kBlock * head.hidden())),
          weights_(memory_.take<uint16_t>(kBlock * kChunk)), table_(memory_.take<uint16_t>(kChunk * head.hidden())) {}

    void add(const Rows &rows) {
        int64_t hidden = head_.hidden(), first = rows.first(), n = rows.words(), depth = meno::tiles::whole_blocks(n);
        if (first != packed_) {
            auto words = static_cast<const uint16_t *>(head_.table.data) + first * hidden;
            meno::tiles::pack_columns(words, hidden, hidden, n, table_);
            packed_ = first;
        }
        for (int64_t word = 0; word < n; word += kBlock)
            meno::tiles::transpose_block(rows.values() + word * kBlock, kBlock, values_ + word, kChunk);
        for (int64_t r = 0; r < rows.count(); ++r) {
            std::fill(values_ + r * kChunk + n, values_ + r * kChunk + depth, 0.0f);
            meno::tiles::narrow(values_ + r * kChunk, depth, weights_ + r * kChunk);
        }
        float *gradient = head_.gradient + rows.begin() * hidden;
        bool whole = rows.count() == kBlock;
        for (int64_t j = 0; j < hidden; j += kBlock)
            meno::tiles::multiply_block(
                weights_, kChunk, table_ + j * depth, depth, (whole ? gradient : sums_) + j, hidden, whole);
        for (int64_t j = 0; !whole && j < rows.count() * hidden; ++j) gradient[j] += sums_[j];
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
    // Beside the words that pass by, a thread's cache holds its rows' states and, with a gradient, their exponents of a chunk.
    int64_t most = std::max(kBlock, kKept / (2 * hidden + (head.gradient ? 4 * kChunk : 0)) / kBlock * kBlock);
    int64_t fewest = (head.rows + most - 1) / most, threads = at::get_num_threads();
    int64_t wanted = (fewest + threads - 1) / threads * threads;
    Shares groups{head.rows, kBlock, std::min(wanted, tiles::whole_blocks(head.rows) / kBlock)};
    parallel(groups.count, [&](int64_t group) {
        int64_t begin = groups.begin(group), count = groups.size(group);
        Memory memory;
        auto panels = memory.take<uint16_t>(tiles::whole_blocks(count) * hidden);
        tiles::pack_rows(states + begin * hidden, hidden, count, hidden, panels);
        std::vector<Rows> blocks;
        blocks.reserve(static_cast<size_t>(tiles::whole_blocks(count) / kBlock));
        for (int64_t i = 0; i < count; i += kBlock) blocks.emplace_back(head, begin + i, std::min(kBlock, count - i), memory);
        std::vector<Entries> entries(head.gradient ? kBlock : 0);
        auto dense = head.gradient ? std::make_unique<DenseGradient>(head) : nullptr;
        Pending pending;
        tiles::Session session;
        for (int64_t first = 0; first < vocabulary; first += kChunk) {
            int64_t n = std::min(kChunk, vocabulary - first);
            for (auto &rows : blocks) rows.enter(first, n);
            for (int64_t word = 0; word < n; word += kBlock) {
                bool whole = word + kBlock <= n;
                const uint16_t *left = whole ? table + (first + word) * hidden : last;
                Ahead ahead{left + kBlock * hidden, whole ? std::min(kBlock, vocabulary - first - word - kBlock) * hidden : 0};
                int64_t share = kWords * hidden / static_cast<int64_t>(blocks.size());
                for (auto &rows : blocks) {
                    auto take = [&](int64_t piece) {
                        ahead.ask(share);
                        pending.take(piece);
                    };
                    tiles::multiply_block(
                        left, hidden, panels + (rows.begin() - begin) * hidden, hidden, pending.next(), kBlock, false,
                        {pending.pieces(), take});
                    pending.settle(&rows, word, whole ? kBlock : n - word);
                }
            }
            pending.finish();
            for (auto &rows : blocks) {
                rows.leave();
                if (!head.gradient) continue;
                if (rows.dense()) dense->add(rows);
                else rows.gather(entries.data());
            }
        }
    });
}
