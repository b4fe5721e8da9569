#include "Weight.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>

#include <algorithm>

#include "Conversion.h"
#include "Parallel.h"

namespace meno::product {

Weight::Weight(at::TensorList parts, std::string_view format) {
    TORCH_CHECK(!parts.empty(), "a weight has at least one part");
    first_ = parts[0];
    if (format != "dense") packed_ = packing::packed(parts, format);
}

const at::Tensor &Weight::dense() const {
    TORCH_CHECK(!packed_, "expected a weight that is not packed");
    return first_;
}

Matrix Weight::matrix() const {
    if (!packed_) return matrix_of(first_);
    return {first_.data_ptr(), Type::packed, rows(), columns(), &*packed_};
}

template <class Number>
at::Tensor Weight::decoded(at::ScalarType type, int64_t count, const Number &number) const {
    at::Tensor result = at::empty({count, columns()}, first_.options().dtype(type));
    decode(result, number);
    return result;
}

template <class Number>
void Weight::decode(const at::Tensor &result, const Number &number) const {
    // Values that are decoded before they are rounded: they stay in the first-level cache.
    constexpr int64_t kPart = 1024;
    static_assert(kPart % packing::kUnit == 0);
    at::ScalarType type = result.scalar_type();
    TORCH_CHECK(type == at::kFloat || type == at::kBFloat16, "a packed weight is decoded as float32 or bfloat16, not ", type);
    int64_t width = columns();
    auto *bytes = static_cast<char *>(result.data_ptr());
    parallel_rows(result.size(0), std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, width)), [&](int64_t begin, int64_t end) {
        alignas(64) float part[kPart];
        for (int64_t i = begin; i < end; ++i) {
            if (type == at::kFloat) {
                packed_->decode(*packed_, number(i), 0, width, reinterpret_cast<float *>(bytes) + i * width);
                continue;
            }
            for (int64_t first = 0; first < width; first += kPart) {
                int64_t count = std::min(kPart, width - first);
                packed_->decode(*packed_, number(i), first, count, part);
                convert(part, count, reinterpret_cast<uint16_t *>(bytes) + i * width + first);
            }
        }
    });
}

void Weight::decode(const at::Tensor &values) const {
    TORCH_CHECK(
        packed_ && values.is_contiguous() && values.dim() == 2 && values.size(0) == rows() && values.size(1) == columns(),
        "expected a packed weight and a contiguous tensor [", rows(), ", ", columns(), "], got ", values.sizes());
    decode(values, [](int64_t i) { return i; });
}

at::Tensor Weight::values(at::ScalarType type, int64_t first, int64_t count) const {
    TORCH_CHECK(first >= 0 && count >= 0 && first + count <= rows(), "rows outside a weight of ", rows());
    if (!packed_) return first_.narrow(0, first, count);
    return decoded(type, count, [&](int64_t i) { return first + i; });
}

at::Tensor Weight::values_at(at::ScalarType type, const at::Tensor &numbers) const {
    TORCH_CHECK(
        numbers.dim() == 1 && numbers.is_contiguous() && numbers.scalar_type() == at::kLong,
        "expected a vector of int64 row numbers, got ", numbers.scalar_type(), " ", numbers.sizes());
    if (!packed_) return first_.index_select(0, numbers);
    const auto *number = numbers.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < numbers.numel(); ++i)
        TORCH_CHECK(number[i] >= 0 && number[i] < rows(), "row ", number[i], " is outside a weight of ", rows());
    return decoded(type, numbers.numel(), [&](int64_t i) { return number[i]; });
}

}  // namespace meno::product
