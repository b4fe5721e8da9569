// Dropout whose mask is computed where it is needed, forward and backward, and never stored: whether an element is kept
// follows from a key, its row's number and its column. A row keeps its number wherever in a pass it lies.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>

#include "Formulas.h"
#include "Vector.h"

namespace meno {

struct Dropout {
    double probability = 0;
    uint64_t key = 0;
    const int64_t *numbers = nullptr;  // of the rows, where they are: on the CPU or on a GPU

    bool drops() const { return probability > 0; }
    // An element is dropped where its random 32 bits are below this.
    uint32_t limit() const { return static_cast<uint32_t>(std::lround(std::min(probability, 1.0) * 4294967295.0)); }
    float scale() const { return probability < 1 ? static_cast<float>(1 / (1 - probability)) : 0.0f; }
    // The key of a row, on the CPU.
    uint64_t row_key(int64_t row) const { return ::row_key(key, numbers[row]); }
};

// The numbers of a matrix's rows: int64, beside it.
inline const int64_t *row_numbers(const at::Tensor &numbers, const at::Tensor &matrix) {
    TORCH_CHECK(
        numbers.scalar_type() == at::kLong && numbers.is_contiguous() && numbers.device() == matrix.device() &&
            numbers.numel() == matrix.size(0),
        "expected an int64 number for each of ", matrix.size(0), " rows beside them, got ", numbers.sizes());
    return numbers.const_data_ptr<int64_t>();
}

// D of a matrix with such numbers.
inline Dropout dropout_of(double probability, int64_t key, const at::Tensor &numbers, const at::Tensor &matrix) {
    return {probability, static_cast<uint64_t>(key), row_numbers(numbers, matrix)};
}

// D of a contiguous matrix in float32 or bfloat16 on the CPU.
at::Tensor dropped_rows(const at::Tensor &x, const Dropout &dropout);

}  // namespace meno

namespace {

// to[i] (+)= from[i] · mask[i] for columns first..<first + n of the row with that key.
template <class Source, class Target, bool adds>
MENO_INLINE void masked_row(
    const typename Source::Storage *from, int64_t n, int64_t first, uint64_t key, uint32_t limit, float scale,
    typename Target::Storage *to) {
    for (int64_t i = 0; i < n; ++i) {
        bool kept = random_bits(key, static_cast<uint32_t>(first + i)) >= limit;
        float value = kept ? Source::load(from[i]) * scale : 0.0f;
        to[i] = Target::store(adds ? Target::load(to[i]) + value : value);
    }
}

}  // namespace
