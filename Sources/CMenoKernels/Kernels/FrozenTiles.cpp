// Products with frozen weights of whole blocks on the processor's matrix unit.

#include <ATen/ops/empty.h>

#include <algorithm>

#include "FrozenProduct.h"
#include "Parallel.h"
#include "TileProduct.h"

namespace meno::product {

namespace {

// How a product is shared out, so that what is packed or comes from memory serves many multiplications.
struct Division {
    // A thread keeps the values of some rows in its second-level cache, and packs a few columns at a time to pass them by.
    static constexpr int64_t kept = 1 << 19, narrow = 64;
    // Where products are deeper than this, few rows would be kept; and of W itself, not Wᵀ, a few columns lie in as many
    // places as it has rows. Such products are summed up from parts of their depth: many columns are packed at once, and
    // all rows pass them by.
    static constexpr int64_t shallow = 2048, part = 1024, most_rows = 1024, wide = 256;

    // Of products with `count` weights whose columns pass together.
    Division(int64_t m, int64_t depth, int64_t width, bool transposed, int64_t count) {
        bool sums_up = transposed || depth > shallow;
        int64_t parts = sums_up ? quotient(depth, part) : 1, threads = at::get_num_threads();
        depth_part = quotient(depth, tiles::kDepth * parts) * tiles::kDepth;
        int64_t strip = (sums_up ? wide : narrow) / count;
        while (strip > narrow && quotient(width, strip) < threads) strip /= 2;
        columns = {width, tiles::kBlock, quotient(width, strip)};
        // Several parts for each thread, so that none waits long for another's last.
        int64_t groups = sums_up ? quotient(m, most_rows) : quotient(m * depth, kept);
        groups = std::max(groups, quotient(3 * threads, columns.count));
        rows = {m, tiles::kBlock, std::min(groups, quotient(m, tiles::kBlock))};
    }

    Shares rows{}, columns{};
    int64_t depth_part;

  private:
    static int64_t quotient(int64_t a, int64_t b) { return (a + b - 1) / b; }
};

// Rows of a block that are finished at a time.
constexpr int64_t kPiece = 6;

// The rows after the last whole block as a block, of which nobody reads what comes out for the rows below them.
at::Tensor odd_rows(const at::Tensor &x) {
    int64_t count = x.size(0) % tiles::kBlock;
    at::Tensor block = at::empty({tiles::kBlock, x.size(1)}, x.options());
    block.narrow(0, 0, count).copy_(x.narrow(0, x.size(0) - count, count));
    return block;
}

// With one weight, or with two whose results `gating` makes one of. Each part is packed, computed, finished and rounded by
// one thread, without waiting for another.
void multiply_parts(
    const at::Tensor &x, at::TensorList weights, bool transposed, const at::Tensor &out, const Finish &finish,
    Gating gating = nullptr) {
    int64_t m = x.size(0), depth = x.size(1), width = out.size(1), together = static_cast<int64_t>(weights.size());
    auto values = [](const at::Tensor &tensor) { return static_cast<uint16_t *>(tensor.data_ptr()); };
    at::Tensor odd = odd_rows(x);
    const uint16_t *rows_of_x = values(x), *last = values(odd);
    uint16_t *to = values(out);
    Division division(m, depth, width, transposed, together);
    parallel(division.columns.count * division.rows.count, [&](int64_t task) {
        int64_t strip = task % division.columns.count, group = task / division.columns.count;
        int64_t first = division.columns.begin(strip), count = division.columns.size(strip);
        int64_t begin = division.rows.begin(group), end = begin + division.rows.size(group);
        // The sums of two blocks, or where they are summed up from parts, of all.
        int64_t whole = tiles::whole_blocks(count), stride = together * whole, block_size = tiles::kBlock * stride;
        int64_t blocks = division.depth_part < depth ? tiles::whole_blocks(end - begin) / tiles::kBlock : 2;
        float *sums = scratch(blocks * block_size + stride * division.depth_part / 2);
        auto packed = reinterpret_cast<uint16_t *>(sums + blocks * block_size);
        auto sums_of = [&](int64_t start) { return sums + (start - begin) / tiles::kBlock % blocks * block_size; };
        // A block is finished and written, some rows at a time, while the next one's sums are formed.
        int64_t start = begin, pieces = 0;
        auto write = [&](int64_t piece) {
            int64_t block = start - tiles::kBlock, row = block + piece * kPiece;
            int64_t rows = std::min({kPiece, start - row, end - row});
            float *part = sums_of(block) + piece * kPiece * stride;
            if (finish) finish(row, rows, first, count, part, stride);
            uint16_t *result = to + row * width + first;
            if (!gating) return tiles::narrow(part, stride, rows, count, result, width);
            for (int64_t i = 0; i < rows; ++i, part += stride, result += width) {
                uint16_t gate[Division::wide], up[Division::wide];
                tiles::narrow(part, count, gate);
                tiles::narrow(part + whole, count, up);
                gating(gate, up, count, result);
            }
        };
        tiles::Session session;
        for (int64_t p = 0; p < depth; p += division.depth_part) {
            int64_t here = std::min(division.depth_part, depth - p);
            for (int64_t i = 0; i < together; ++i) {
                const uint16_t *right = values(weights[static_cast<size_t>(i)]);
                uint16_t *panels = packed + i * whole * here;
                if (transposed) tiles::pack_columns(right + p * width + first, width, count, here, panels);
                else tiles::pack_rows(right + first * depth + p, depth, count, here, panels);
            }
            for (start = begin; start < end; start += tiles::kBlock) {
                const uint16_t *left = (start + tiles::kBlock <= m ? rows_of_x + start * depth : last) + p;
                int64_t done = 0;
                for (int64_t j = 0; j < stride; j += tiles::kBlock) {
                    int64_t due = pieces * (j + tiles::kBlock) / stride - done;
                    tiles::multiply_block(
                        left, depth, packed + j * here, here, sums_of(start) + j, stride, p > 0,
                        {due, [&](int64_t piece) { write(done + piece); }});
                    done += due;
                }
                if (p + here == depth) pieces = (std::min(tiles::kBlock, end - start) + kPiece - 1) / kPiece;
            }
        }
        for (int64_t piece = 0; piece < pieces; ++piece) write(piece);
    });
}

}  // namespace

bool has_tiles(int64_t m, int64_t depth) { return tiles::available() && depth % tiles::kDepth == 0 && m > kFew; }

void multiply_tiles(
    const at::Tensor &x, const at::Tensor &weight, bool transposed, const at::Tensor &out, const Finish &finish) {
    multiply_parts(x, weight, transposed, out, finish);
}

void multiply_gated(
    const at::Tensor &x, const at::Tensor &gate, const at::Tensor &up, Gating gating, const at::Tensor &out) {
    multiply_parts(x, {gate, up}, false, out, nullptr, gating);
}

}  // namespace meno::product
