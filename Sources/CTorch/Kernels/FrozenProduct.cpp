#include "FrozenProduct.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <vector>

#include "Conversion.h"
#include "Parallel.h"
#include "TileProduct.h"

namespace meno::product {

namespace {

// Text is generated a token at a time: always the same few rows.
constexpr int64_t kFew = 4;

int64_t rounded(int64_t rows) { return rows <= kFew ? rows : (rows + 63) / 64 * 64; }

}  // namespace

at::Tensor empty_rows(at::IntArrayRef sizes, const at::TensorOptions &options) {
    if (options.dtype() != at::kBFloat16 || sizes.empty()) return at::empty(sizes, options);
    auto roomy = sizes.vec();
    roomy[0] = rounded(sizes[0]);
    return at::empty(roomy, options).narrow(0, 0, sizes[0]);
}

at::Tensor with_room(const at::Tensor &matrix) {
    int64_t rows = rounded(matrix.size(0)), columns = matrix.size(1);
    auto end = static_cast<size_t>((matrix.storage_offset() + rows * columns) * matrix.element_size());
    if (end <= matrix.storage().nbytes()) return matrix.as_strided({rows, columns}, {columns, 1});
    at::Tensor copy = at::empty({rows, columns}, matrix.options());
    copy.narrow(0, 0, matrix.size(0)).copy_(matrix);
    return copy;
}

namespace {

// Columns that a thread packs and passes rows by; with few of them, threads share the work evenly.
constexpr int64_t kColumns = 64;
// Rows of a block that are finished at a time.
constexpr int64_t kPiece = 6;
// Values of the rows of a group, which stay in the second-level cache from one group of columns to the next.
constexpr int64_t kKept = 1 << 19;

// Products of whole blocks on the processor's matrix unit. Each part is packed, computed, finished and rounded by one
// thread, without waiting for another.
void multiply_tiles(
    const at::Tensor &x, int64_t m, const at::Tensor &weight, bool transposed, const at::Tensor &out,
    const Finish &finish) {
    int64_t depth = x.size(1), width = out.size(1);
    auto values = [](const at::Tensor &tensor) { return static_cast<uint16_t *>(tensor.data_ptr()); };
    const uint16_t *left = values(x), *right = values(weight);
    uint16_t *to = values(out);
    int64_t columns = (width + kColumns - 1) / kColumns;
    // As few groups of rows as the cache takes, for each packs the columns anew; more only where threads outnumber columns.
    int64_t wanted = std::max((m * depth + kKept - 1) / kKept, (3 * at::get_num_threads() + columns - 1) / columns);
    Shares groups{m, tiles::kBlock, std::min(wanted, tiles::whole_blocks(m) / tiles::kBlock)};
    parallel(columns * groups.count, [&](int64_t part) {
        int64_t first = part % columns * kColumns, count = std::min(kColumns, width - first);
        int64_t begin = groups.begin(part / columns), end = groups.begin(part / columns + 1);
        auto packed = reinterpret_cast<uint16_t *>(scratch(kColumns * depth / 2));
        if (transposed) tiles::pack_columns(right + first, width, count, depth, packed);
        else tiles::pack_rows(right + first * depth, depth, count, depth, packed);
        // A block's sums are finished and written, some rows at a time, while the next block's are formed.
        alignas(64) float memory[2][tiles::kBlock * kColumns];
        float *sums = memory[0], *before = memory[1];
        int64_t start = begin, pieces = 0;
        auto write = [&](int64_t piece) {
            int64_t row = start - tiles::kBlock + piece * kPiece, rows = std::min({kPiece, start - row, end - row});
            float *part = before + piece * kPiece * kColumns;
            if (finish) finish(row, rows, first, count, part, kColumns);
            for (int64_t i = 0; i < rows; ++i)
                tiles::narrow(part + i * kColumns, count, to + (row + i) * width + first);
        };
        tiles::Session session;
        for (; start < end; start += tiles::kBlock) {
            int64_t done = 0;
            for (int64_t j = 0; j < count; j += tiles::kBlock) {
                int64_t due = pieces * (j + tiles::kBlock) / tiles::whole_blocks(count) - done;
                tiles::multiply_block(
                    left + start * depth, depth, packed + j * depth, depth, sums + j, kColumns, false,
                    {due, [&](int64_t piece) { write(done + piece); }});
                done += due;
            }
            std::swap(sums, before);
            pieces = (std::min(tiles::kBlock, end - start) + kPiece - 1) / kPiece;
        }
        for (int64_t piece = 0; piece < pieces; ++piece) write(piece);
    });
}

// Finishes what libtorch's products have written, where that is bfloat16 through float32 once more.
void finish_written(const at::Tensor &out, const Finish &finish) {
    int64_t width = out.size(1);
    bool half = out.scalar_type() == at::kBFloat16;
    Shares blocks = row_blocks(out.size(0));
    parallel(blocks.count, [&](int64_t block) {
        int64_t start = blocks.begin(block), rows = blocks.size(block);
        thread_local std::vector<float> part;
        if (half) part.resize(static_cast<size_t>(rows * kChunk));
        for (int64_t first = 0; first < width; first += kChunk) {
            int64_t count = std::min(kChunk, width - first), place = start * width + first;
            if (!half) {
                finish(start, rows, first, count, out.data_ptr<float>() + place, width);
                continue;
            }
            uint16_t *rounded = static_cast<uint16_t *>(out.data_ptr()) + place;
            for (int64_t i = 0; i < rows; ++i) convert(rounded + i * width, count, part.data() + i * kChunk);
            finish(start, rows, first, count, part.data(), kChunk);
            for (int64_t i = 0; i < rows; ++i) convert(part.data() + i * kChunk, count, rounded + i * width);
        }
    });
}

}  // namespace

void multiply(
    const at::Tensor &x, const at::Tensor &weight, bool transposed, const at::Tensor &out, const Finish &finish) {
    int64_t m = x.size(0), depth = x.size(1);
    if (available() && x.scalar_type() == at::kFloat)
        return multiply(x.data_ptr<float>(), m, matrix_of(weight), transposed, out.data_ptr<float>(), finish);
    c10::NoGradGuard guard;
    bool half = x.scalar_type() == at::kBFloat16;
    if (half && tiles::available() && depth % tiles::kDepth == 0 && m > kFew)
        return multiply_tiles(with_room(x), m, weight, transposed, out, finish);
    at::Tensor result = half ? with_room(out) : out;
    TORCH_INTERNAL_ASSERT(result.data_ptr() == out.data_ptr());
    at::mm_out(result, half ? with_room(x) : x, transposed ? weight : weight.t());
    if (finish) finish_written(out, finish);
}

}  // namespace meno::product
