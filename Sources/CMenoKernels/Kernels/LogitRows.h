// Rows on their way through a vocabulary by products of blocks, and what is done to a block of their logits.
//
// A block is [words, rows]: what is done to one row's logits is done to sixteen rows' at once.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "Memory.h"
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

// What their exponents are taken against, and compared with.
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
    Tally here = tally;  // in registers, as the bounds
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

// Whether a row's largest logit is above its best so far.
MENO_VECTOR_CLONES bool any_above(const Tally &tally, const float *best) {
    bool above = false;
    for (int64_t r = 0; r < kBlock; ++r) above |= tally.tops[r] > best[r];
    return above;
}

MENO_VECTOR_CLONES void add_to(double *sums, const float *of_block) {
    for (int64_t r = 0; r < kBlock; ++r) sums[r] += of_block[r];
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
        if (any_above(tally_, best_))
            for (int64_t r = 0; r < count_; ++r)
                if (tally_.tops[r] > best_[r]) raised |= better(r, tally_.tops[r], block);
        if (raised) {  // once more, against references that they are not too far above
            tally_.clear();
            take_bounded(block);
        }
        add_to(sum_, tally_.sums);
        add_to(mass_, head_.cap > 0 ? tally_.masses : tally_.sums);
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

}  // namespace
