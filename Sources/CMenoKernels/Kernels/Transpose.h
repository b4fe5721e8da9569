// Transposition of 16 × 16 units of 32 bits: values of float32, or pairs of bfloat16.
#pragma once

#include <cstdint>

namespace meno {

constexpr int64_t kTransposed = 16;

// Rows of `from` are `from_bytes` apart, those of `to` are `to_bytes` apart.
void transpose(const void *from, int64_t from_bytes, void *to, int64_t to_bytes);

// 16 rows of 32 values of bfloat16 as 32 rows of 16 values of float32.
void transpose_widened(const uint16_t *from, int64_t from_bytes, float *to, int64_t to_bytes);

}  // namespace meno
