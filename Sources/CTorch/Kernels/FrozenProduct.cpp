#include "FrozenProduct.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "Parallel.h"

namespace meno::product {

namespace {

int64_t rounded(int64_t rows) {
    // Text is generated a token at a time: always the same few rows.
    return rows <= 4 ? rows : (rows + 63) / 64 * 64;
}

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

void multiply(
    const at::Tensor &x, const at::Tensor &weight, bool transposed, const at::Tensor &out, const Finish &finish) {
    int64_t m = x.size(0), width = out.size(1);
    if (available() && x.scalar_type() == at::kFloat)
        return multiply(x.data_ptr<float>(), m, matrix_of(weight), transposed, out.data_ptr<float>(), finish);
    c10::NoGradGuard guard;
    bool rounds = x.scalar_type() == at::kBFloat16;
    at::Tensor result = rounds ? with_room(out) : out;
    TORCH_INTERNAL_ASSERT(result.data_ptr() == out.data_ptr());
    at::mm_out(result, rounds ? with_room(x) : x, transposed ? weight : weight.t());
    if (!finish) return;
    int64_t rows = rows_of_block(m);
    parallel((m + rows - 1) / rows, [&](int64_t block) {
        int64_t start = block * rows, here = std::min(rows, m - start);
        for (int64_t first = 0; first < width; first += kChunk)
            finish(start, here, first, std::min(kChunk, width - first));
    });
}

}  // namespace meno::product
