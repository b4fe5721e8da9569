#include "FrozenProduct.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "Conversion.h"
#include "Parallel.h"

namespace meno::product {

namespace {

// oneDNN generates machine code for each number of rows: few and small ones are left as they are.
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

// A weight as one tensor, while this lives. A packed one is decoded into memory that is kept for the next product: pages that
// are fresh from the system cost several times what decoding does. A second product at the same time takes memory of its own.
class Decoded {
  public:
    Decoded(const Weight &weight, at::ScalarType type) : lock_(mutex, std::defer_lock) {
        if (!weight.is_packed()) {
            values_ = weight.dense();
        } else if (lock_.try_lock()) {
            int64_t count = weight.rows() * weight.columns();
            if (!memory.defined() || memory.scalar_type() != type || memory.numel() < count) {
                memory.reset();
                memory = at::empty({count}, at::dtype(type));
            }
            values_ = memory.narrow(0, 0, count).view({weight.rows(), weight.columns()});
            weight.decode(values_);
        } else {
            values_ = weight.values(type);
        }
    }

    const at::Tensor &values() const { return values_; }

  private:
    inline static std::mutex mutex;
    inline static at::Tensor memory;

    std::unique_lock<std::mutex> lock_;
    at::Tensor values_;
};

}  // namespace

void multiply(const at::Tensor &x, const Weight &frozen, bool transposed, const at::Tensor &out, const Finish &finish) {
    int64_t m = x.size(0), depth = x.size(1);
    if (available() && x.scalar_type() == at::kFloat)
        return multiply(x.data_ptr<float>(), m, frozen.matrix(), transposed, out.data_ptr<float>(), finish);
    c10::NoGradGuard guard;
    bool half = x.scalar_type() == at::kBFloat16;
    // A few rows do not pay for a decoded copy of the whole matrix.
    if (half && frozen.is_packed() && m <= kFew && !transposed && available()) {
        at::Tensor wide = x.to(at::kFloat), sums = at::empty({m, frozen.rows()}, wide.options());
        multiply(wide.data_ptr<float>(), m, frozen.matrix(), false, sums.data_ptr<float>(), finish);
        out.copy_(sums);
        return;
    }
    Decoded decoded(frozen, x.scalar_type());
    const at::Tensor &weight = decoded.values();
    if (half && has_tiles(m, depth)) return multiply_tiles(x, weight, transposed, out, finish);
    at::Tensor result = half ? with_room(out) : out;
    TORCH_INTERNAL_ASSERT(result.data_ptr() == out.data_ptr());
    at::mm_out(result, half ? with_room(x) : x, transposed ? weight : weight.t());
    if (finish) finish_written(out, finish);
}

}  // namespace meno::product
