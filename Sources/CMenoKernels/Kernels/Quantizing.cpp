#include "Quantizing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "Parallel.h"
#include "Vector.h"

#pragma STDC FP_CONTRACT OFF

namespace meno::packing {

namespace {

constexpr int64_t kBlock = 64;

// Where loops are not turned into vector code.
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef int32_t Integers __attribute__((vector_size(kLanes * sizeof(int32_t))));

// The largest magnitude of n values, where n is a multiple of kLanes; NaN if one of them is NaN.
template <class Number>
MENO_INLINE float largest(const typename Number::Storage *values, int64_t n) {
    float lanes[kLanes] = {};
    int32_t faults[kLanes] = {};
    for (int64_t i = 0; i < n; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) {
            float x = Number::load(values[i + l]), size = std::fabs(x);
            lanes[l] = size > lanes[l] ? size : lanes[l];
            faults[l] |= x != x;
        }
    float result = 0;
    for (int64_t l = 0; l < kLanes; ++l) {
        result = std::max(result, lanes[l]);
        if (faults[l]) return std::numeric_limits<float>::quiet_NaN();
    }
    return result;
}

// Zeros stay zeros.
MENO_INLINE float reciprocal(float scale) { return 1.0f / std::max(scale, 1e-38f); }

template <class Number>
MENO_INLINE void four_bits(
    const typename Number::Storage *values, int64_t blocks, const float *bounds, const uint8_t *numbers, uint8_t *codes,
    float *scales) {
    // What a number rises by at each bound: no number is looked up.
    int32_t rises[15];
    for (int64_t b = 0; b < 15; ++b) rises[b] = numbers[b + 1] - numbers[b];
    for (int64_t block = 0; block < blocks; ++block, values += kBlock, codes += kBlock / 2) {
        float scale = largest<Number>(values, kBlock), factor = reciprocal(scale);
        scales[block] = scale;
        int32_t number[kBlock];
        for (int64_t i = 0; i < kBlock; i += kLanes) {
            Floats x;
            for (int64_t l = 0; l < kLanes; ++l) x[l] = Number::load(values[i + l]);
            x *= factor;
            x = x < -1.0f ? Floats{} - 1.0f : x;
            x = x > 1.0f ? Floats{} + 1.0f : x;
            Integers sum = Integers{} + numbers[0];
            for (int64_t b = 0; b < 15; ++b) sum += (bounds[b] < x) & rises[b];
            std::memcpy(number + i, &sum, sizeof sum);
        }
        for (int64_t i = 0; i < kBlock / 2; ++i)
            codes[i] = static_cast<uint8_t>(number[2 * i] << 4 | number[2 * i + 1]);
    }
}
MENO_VECTOR_CLONES void four_bits(
    const float *values, int64_t blocks, const float *bounds, const uint8_t *numbers, uint8_t *codes, float *scales) {
    four_bits<Float32>(values, blocks, bounds, numbers, codes, scales);
}
MENO_VECTOR_CLONES void four_bits(
    const uint16_t *values, int64_t blocks, const float *bounds, const uint8_t *numbers, uint8_t *codes, float *scales) {
    four_bits<BFloat16>(values, blocks, bounds, numbers, codes, scales);
}

template <class Number>
MENO_INLINE void eight_bits(
    const typename Number::Storage *values, int64_t rows, int64_t columns, uint8_t *codes, float *scales) {
    for (int64_t row = 0; row < rows; ++row, values += columns, codes += columns) {
        float scale = largest<Number>(values, columns), factor = reciprocal(scale) * 127.0f;
        scales[row] = scale;
        // To nearest, ties to even: what is added leaves no room for digits after the point.
        constexpr float shift = 12582912.0f;
        for (int64_t i = 0; i < columns; ++i)
            codes[i] = static_cast<uint8_t>(std::bit_cast<uint32_t>(Number::load(values[i]) * factor + shift));
    }
}
MENO_VECTOR_CLONES void eight_bits(const float *values, int64_t rows, int64_t columns, uint8_t *codes, float *scales) {
    eight_bits<Float32>(values, rows, columns, codes, scales);
}
MENO_VECTOR_CLONES void eight_bits(const uint16_t *values, int64_t rows, int64_t columns, uint8_t *codes, float *scales) {
    eight_bits<BFloat16>(values, rows, columns, codes, scales);
}

template <class Body>
void with_values(const at::Tensor &values, const Body &body) {
    if (values.scalar_type() == at::kBFloat16) body(static_cast<const uint16_t *>(values.const_data_ptr()));
    else body(values.const_data_ptr<float>());
}

void check(const at::Tensor &values, const at::Tensor &codes, int64_t code_count, const at::Tensor &scales, int64_t scale_count) {
    auto plain = [](const at::Tensor &tensor) { return tensor.is_cpu() && tensor.is_contiguous(); };
    bool is_number = values.scalar_type() == at::kFloat || values.scalar_type() == at::kBFloat16;
    TORCH_CHECK(
        plain(values) && is_number && plain(codes) && plain(scales) && codes.scalar_type() == at::kByte &&
            scales.scalar_type() == at::kFloat && codes.numel() == code_count && scales.numel() == scale_count,
        "expected contiguous values in float32 or bfloat16, ", code_count, " bytes for their codes and ", scale_count,
        " float32 values for their scales, got ", values.sizes(), ", ", codes.sizes(), " and ", scales.sizes());
}

}  // namespace

void quantize_four_bits(
    const at::Tensor &values, const at::Tensor &bounds, const at::Tensor &numbers, const at::Tensor &codes,
    const at::Tensor &scales) {
    TORCH_CHECK(values.numel() % kBlock == 0, "expected whole blocks of ", kBlock, " values, got ", values.numel());
    int64_t blocks = values.numel() / kBlock;
    check(values, codes, values.numel() / 2, scales, blocks);
    TORCH_CHECK(
        bounds.is_contiguous() && bounds.scalar_type() == at::kFloat && bounds.numel() == 15 && numbers.is_contiguous() &&
            numbers.scalar_type() == at::kByte && numbers.numel() == 16,
        "expected 15 bounds in float32 and 16 numbers in uint8");
    auto *to = codes.data_ptr<uint8_t>();
    auto *factors = scales.data_ptr<float>();
    const auto *between = bounds.const_data_ptr<float>();
    const auto *number = numbers.const_data_ptr<uint8_t>();
    with_values(values, [&](const auto *from) {
        parallel_rows(blocks, 1 << 8, [&](int64_t begin, int64_t end) {
            four_bits(from + begin * kBlock, end - begin, between, number, to + begin * kBlock / 2, factors + begin);
        });
    });
}

void quantize_eight_bits(const at::Tensor &values, const at::Tensor &codes, const at::Tensor &scales) {
    TORCH_CHECK(
        values.dim() == 2 && values.size(1) % kLanes == 0, "expected rows of a multiple of ", kLanes, " values, got ",
        values.sizes());
    int64_t rows = values.size(0), columns = values.size(1);
    check(values, codes, values.numel(), scales, rows);
    auto *to = codes.data_ptr<uint8_t>();
    auto *factors = scales.data_ptr<float>();
    with_values(values, [&](const auto *from) {
        parallel_rows(rows, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, columns)), [&](int64_t begin, int64_t end) {
            eight_bits(from + begin * columns, end - begin, columns, to + begin * columns, factors + begin);
        });
    });
}

}  // namespace meno::packing
