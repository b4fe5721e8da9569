// Random numbers of rows apart from any product: dropout of a matrix, and noise.

#include "Dropout.h"

#include "../Accelerator/DeviceLayers.h"
#include "../Internal.h"
#include "../Operators.h"
#include "FrozenProduct.h"
#include "Parallel.h"

namespace {

constexpr int64_t kGrain = 1 << 14;

MENO_VECTOR_CLONES void drop_float32(
    const void *from, int64_t n, uint64_t key, uint32_t limit, float scale, void *to) {
    masked_row<Float32, Float32, false>(static_cast<const float *>(from), n, 0, key, limit, scale, static_cast<float *>(to));
}
MENO_VECTOR_CLONES void drop_bfloat16(
    const void *from, int64_t n, uint64_t key, uint32_t limit, float scale, void *to) {
    masked_row<BFloat16, BFloat16, false>(
        static_cast<const uint16_t *>(from), n, 0, key, limit, scale, static_cast<uint16_t *>(to));
}

MENO_VECTOR_CLONES void uniform_row(int64_t n, uint64_t key, float *to) {
    for (int64_t i = 0; i < n; ++i) to[i] = ::uniform(random_bits(key, static_cast<uint32_t>(i)));
}

}  // namespace

at::Tensor meno::dropped_rows(const at::Tensor &x, const Dropout &dropout) {
    int64_t rows = x.size(0), columns = x.size(1), stride = columns * x.element_size();
    at::Tensor result = product::empty_rows(x.sizes(), x.options());
    auto kernel = x.scalar_type() == at::kFloat ? drop_float32 : drop_bfloat16;
    auto *from = static_cast<const char *>(x.data_ptr());
    auto *to = static_cast<char *>(result.data_ptr());
    parallel_rows(rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, columns)), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            kernel(from + i * stride, columns, dropout.row_key(i), dropout.limit(), dropout.scale(), to + i * stride);
    });
    return result;
}

at::Tensor meno::operators::dropout(
    const at::Tensor &x, double probability, int64_t key, const at::Tensor &row_numbers) {
    TORCH_CHECK(
        has_fused_kernels(x) && x.dim() == 2, "expected a contiguous matrix in float32 or bfloat16, got ", x.sizes());
    Dropout dropout = dropout_of(probability, key, row_numbers, x);
    return (device::serves(x) ? device::dropped : dropped_rows)(x, dropout);
}

at::Tensor meno::operators::uniform(const at::Tensor &row_numbers, int64_t key, int64_t columns) {
    TORCH_CHECK(row_numbers.dim() == 1, "expected a number for each row, got ", row_numbers.sizes());
    int64_t rows = row_numbers.size(0), grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, columns));
    at::Tensor values = at::empty({rows, columns}, at::kFloat);
    const int64_t *number = meno::row_numbers(row_numbers, values);
    float *to = values.data_ptr<float>();
    parallel_rows(rows, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            uniform_row(columns, row_key(static_cast<uint64_t>(key), number[i]), to + i * columns);
    });
    return values;
}
