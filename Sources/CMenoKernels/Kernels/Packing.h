// Matrices whose values are packed: blocks of GGUF files, and the four and eight bits of bitsandbytes.
//
// They stay packed in memory, and are decoded where a product packs rows or columns into panels anyway. What is decoded is
// float32, bit for bit that of the `gguf` package and of bitsandbytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace meno::packing {

// Values of a row that are decoded together. The columns of a packed matrix are a multiple of it.
constexpr int64_t kUnit = 32;

// A packed matrix [rows, columns], row-major. What its format does not have is null.
struct Packed {
    const uint8_t *data;
    int64_t row_bytes, columns;
    // Columns first..<first + count of a row, both multiples of kUnit, as float32.
    void (*decode)(const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values);
    // The product of a row with x [columns], in float32, without a decoded copy.
    float (*dot)(const Packed &matrix, int64_t row, const float *x);

    // Of bitsandbytes' formats.
    const float *codebook = nullptr;         // the 16 values of four bits
    const float *scales = nullptr;           // of each block, or of each row of eight bits
    const uint8_t *scale_codes = nullptr;    // where the scales are quantised themselves: of each block,
    const float *scale_codebook = nullptr;   // their 256 values,
    const float *scale_scales = nullptr;     // what each 256 of them are multiplied by,
    float scale_offset = 0;                  // and what is added
};

// The parts of a matrix in a format:
//   F16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4
//                     blocks of a GGUF file: bytes [rows, bytes of a row]
//   int8              codes [rows, columns] and float32 scales [rows]: code · scale / 127
//   four_bits         codes [rows, columns / 2], the high half of a byte first; 16 float32 values; float32 scales of 64 values each
//   four_bits_nested  codes and values; codes of the scales; 256 float32 values of these; float32 scales of 256 scales each; a
//                     float32 offset that is added to every scale
// Throws where parts do not fit together.
Packed packed(at::TensorList parts, std::string_view format);

}  // namespace meno::packing
