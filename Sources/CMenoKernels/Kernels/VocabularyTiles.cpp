// The cross-entropy over a vocabulary by products of blocks on the processor's matrix unit.
//
// A thread goes through the whole vocabulary with some of the rows, so that none waits for another. The table is the left
// side of the products, as it is, and the states, packed once, the right. While the unit computes a block of logits, the
// vector units do what there is to do with the one before.

#include <algorithm>
#include <memory>
#include <vector>

#include "LogitRows.h"
#include "Memory.h"
#include "Parallel.h"
#include "TileProduct.h"
#include "VocabularyLoss.h"

namespace {

// Words whose logits become exponents at a time.
constexpr int64_t kWords = 4;
// Bytes that a thread keeps in its second-level cache on the way through the vocabulary.
constexpr int64_t kKept = 1100000;

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
    // The last words, if they do not fill a block.
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
