#include "Packing.h"

#include <bit>
#include <cstring>

#include "Vector.h"

// The order of operations and their roundings are those of the references, which have no fused ones.
#pragma STDC FP_CONTRACT OFF

namespace meno::packing {

namespace {

MENO_INLINE float half(const uint8_t *bytes) {
    uint16_t bits;
    std::memcpy(&bits, bytes, sizeof bits);
    uint32_t wide = bits, sign = (wide & 0x8000u) << 16, exponent = wide & 0x7C00u, mantissa = wide & 0x03FFu;
    // Bias 15 becomes 127; an exponent of ones (infinity, NaN) is one again.
    uint32_t rebias = exponent == 0x7C00u ? (255u - 31u) << 23 : (127u - 15u) << 23;
    uint32_t normal = ((wide & 0x7FFFu) << 13) + rebias;
    auto subnormal = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(mantissa)) * 0x1p-24f);
    return std::bit_cast<float>(sign | (exponent == 0 ? subnormal : normal));
}

MENO_INLINE float real(int32_t value) { return static_cast<float>(value); }

// Blocks of GGUF files, as ggml-common.h lays them out: `unit` decodes the 32 values number `part` of a block.

struct F16 {
    static constexpr int64_t elements = 32, bytes = 64;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float *x) {
        for (int64_t i = 0; i < 32; ++i) x[i] = half(block + 2 * i);
    }
};

struct Q4_0 {
    static constexpr int64_t elements = 32, bytes = 18;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float *x) {
        float d = half(block);
        for (int64_t i = 0; i < 16; ++i) {
            x[i] = d * real((block[2 + i] & 0x0F) - 8);
            x[16 + i] = d * real((block[2 + i] >> 4) - 8);
        }
    }
};

struct Q4_1 {
    static constexpr int64_t elements = 32, bytes = 20;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float *x) {
        float d = half(block), m = half(block + 2);
        for (int64_t i = 0; i < 16; ++i) {
            x[i] = d * real(block[4 + i] & 0x0F) + m;
            x[16 + i] = d * real(block[4 + i] >> 4) + m;
        }
    }
};

// The fifth bits of the values of a block, 16 for each half.
MENO_INLINE uint32_t fifth_bits(const uint8_t *bytes) {
    uint32_t bits;
    std::memcpy(&bits, bytes, sizeof bits);
    return bits;
}

struct Q5_0 {
    static constexpr int64_t elements = 32, bytes = 22;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float *x) {
        float d = half(block);
        uint32_t high = fifth_bits(block + 2);
        for (int64_t i = 0; i < 16; ++i) {
            int32_t first = static_cast<int32_t>(high >> i & 1u) << 4, second = static_cast<int32_t>(high >> (i + 16) & 1u) << 4;
            x[i] = d * real(((block[6 + i] & 0x0F) | first) - 16);
            x[16 + i] = d * real(((block[6 + i] >> 4) | second) - 16);
        }
    }
};

struct Q5_1 {
    static constexpr int64_t elements = 32, bytes = 24;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float *x) {
        float d = half(block), m = half(block + 2);
        uint32_t high = fifth_bits(block + 4);
        for (int64_t i = 0; i < 16; ++i) {
            int32_t first = static_cast<int32_t>(high >> i & 1u) << 4, second = static_cast<int32_t>(high >> (i + 16) & 1u) << 4;
            x[i] = d * real((block[8 + i] & 0x0F) | first) + m;
            x[16 + i] = d * real((block[8 + i] >> 4) | second) + m;
        }
    }
};

struct Q8_0 {
    static constexpr int64_t elements = 32, bytes = 34;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float *x) {
        float d = half(block);
        for (int64_t i = 0; i < 32; ++i) x[i] = real(static_cast<int8_t>(block[2 + i])) * d;
    }
};

struct ScaleAndMinimum {
    int32_t scale, minimum;
};

// The eight 6-bit scales and minima that Q4_K and Q5_K pack into 12 bytes: see BlockDecoders256.swift.
MENO_INLINE ScaleAndMinimum scale_and_minimum(const uint8_t *packed, int64_t index) {
    if (index < 4) return {packed[index] & 0x3F, packed[index + 4] & 0x3F};
    int32_t low = packed[index + 4];
    return {(low & 0x0F) | ((packed[index - 4] >> 2) & 0x30), (low >> 4) | ((packed[index] >> 2) & 0x30)};
}

struct Q4_K {
    static constexpr int64_t elements = 256, bytes = 144;
    MENO_INLINE void unit(const uint8_t *block, int64_t part, float *x) {
        ScaleAndMinimum both = scale_and_minimum(block + 4, part);
        float scale = half(block) * real(both.scale), minimum = half(block + 2) * real(both.minimum);
        const uint8_t *quants = block + 16 + part / 2 * 32;
        int32_t shift = part % 2 * 4;
        for (int64_t i = 0; i < 32; ++i) x[i] = scale * real(quants[i] >> shift & 0x0F) - minimum;
    }
};

struct Q5_K {
    static constexpr int64_t elements = 256, bytes = 176;
    MENO_INLINE void unit(const uint8_t *block, int64_t part, float *x) {
        ScaleAndMinimum both = scale_and_minimum(block + 4, part);
        float scale = half(block) * real(both.scale), minimum = half(block + 2) * real(both.minimum);
        const uint8_t *quants = block + 48 + part / 2 * 32, *fifths = block + 16;
        int32_t shift = part % 2 * 4, place = static_cast<int32_t>(part);
        for (int64_t i = 0; i < 32; ++i)
            x[i] = scale * real((quants[i] >> shift & 0x0F) | ((fifths[i] >> place & 1) << 4)) - minimum;
    }
};

struct Q6_K {
    static constexpr int64_t elements = 256, bytes = 210;
    MENO_INLINE void unit(const uint8_t *block, int64_t part, float *x) {
        int64_t side = part / 4;
        const uint8_t *low = block + side * 64 + part % 2 * 32, *high = block + 128 + side * 32;
        int32_t low_shift = part % 4 / 2 * 4, high_shift = part % 4 * 2;
        float d = half(block + 208);
        for (int64_t j = 0; j < 2; ++j) {
            float scale = d * real(static_cast<int8_t>(block[192 + 2 * part + j]));
            for (int64_t i = 16 * j; i < 16 * j + 16; ++i)
                x[i] = scale * real(((low[i] >> low_shift & 0x0F) | ((high[i] >> high_shift & 0x03) << 4)) - 32);
        }
    }
};

template <class Block>
MENO_INLINE void decode_blocks(const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {
    constexpr int64_t units = Block::elements / kUnit;
    const uint8_t *blocks = matrix.data + row * matrix.row_bytes;
    for (int64_t unit = first / kUnit; unit < (first + count) / kUnit; ++unit, values += kUnit)
        Block::unit(blocks + unit / units * Block::bytes, unit % units, values);
}

#define MENO_DECODE(Block)                                                                                             \
    MENO_VECTOR_CLONES void decode_##Block(                                                                            \
        const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {                              \
        decode_blocks<Block>(matrix, row, first, count, values);                                                       \
    }
MENO_DECODE(F16)
MENO_DECODE(Q4_0)
MENO_DECODE(Q4_1)
MENO_DECODE(Q5_0)
MENO_DECODE(Q5_1)
MENO_DECODE(Q8_0)
MENO_DECODE(Q4_K)
MENO_DECODE(Q5_K)
MENO_DECODE(Q6_K)
#undef MENO_DECODE

// bitsandbytes. Blocks are counted through all rows.

constexpr int64_t kBlock = 64, kNested = 256;

MENO_VECTOR_CLONES void decode_int8(const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {
    auto codes = reinterpret_cast<const int8_t *>(matrix.data) + row * matrix.row_bytes + first;
    float scale = matrix.scales[row];
    for (int64_t i = 0; i < count; ++i) values[i] = real(codes[i]) * scale * 7.874015718698502e-3f;
}

MENO_VECTOR_CLONES void decode_four_bits(const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {
    const uint8_t *codes = matrix.data + row * matrix.row_bytes + first / 2;
    int64_t start = row * matrix.columns + first;
    for (int64_t i = 0; i < count; i += kUnit, codes += kUnit / 2, values += kUnit) {
        int64_t block = (start + i) / kBlock;
        float scale = matrix.scale_codes ? matrix.scale_codebook[matrix.scale_codes[block]] *
                                                   matrix.scale_scales[block / kNested] +
                                               matrix.scale_offset
                                         : matrix.scales[block];
        for (int64_t j = 0; j < kUnit / 2; ++j) {
            values[2 * j] = matrix.codebook[codes[j] >> 4] * scale;
            values[2 * j + 1] = matrix.codebook[codes[j] & 0x0F] * scale;
        }
    }
}

struct Format {
    std::string_view name;
    decltype(Packed::decode) decode;
    int64_t elements, bytes;
};

#define MENO_FORMAT(Block) Format{#Block, decode_##Block, Block::elements, Block::bytes}
constexpr Format kBlocks[] = {
    MENO_FORMAT(F16),  MENO_FORMAT(Q4_0), MENO_FORMAT(Q4_1), MENO_FORMAT(Q5_0), MENO_FORMAT(Q5_1),
    MENO_FORMAT(Q8_0), MENO_FORMAT(Q4_K), MENO_FORMAT(Q5_K), MENO_FORMAT(Q6_K),
};
#undef MENO_FORMAT

const at::Tensor &checked(at::TensorList parts, size_t index, at::ScalarType type, int64_t dimensions) {
    TORCH_CHECK(index < parts.size(), "a packed matrix of this format has more than ", parts.size(), " parts");
    const at::Tensor &part = parts[index];
    TORCH_CHECK(
        part.is_cpu() && part.is_contiguous() && part.scalar_type() == type && part.dim() == dimensions, "part ", index,
        " of a packed matrix is a contiguous tensor of ", type, " on the CPU with ", dimensions, " dimensions, not ",
        part.scalar_type(), " ", part.sizes());
    return part;
}

const float *floats(at::TensorList parts, size_t index, int64_t count) {
    const at::Tensor &part = checked(parts, index, at::kFloat, 1);
    TORCH_CHECK(part.size(0) == count, "part ", index, " of a packed matrix has ", count, " values, not ", part.size(0));
    return part.const_data_ptr<float>();
}

int64_t quotient(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Packed packed(at::TensorList parts, std::string_view format) {
    const at::Tensor &data = checked(parts, 0, at::kByte, 2);
    int64_t rows = data.size(0), bytes = data.size(1);
    Packed result{data.const_data_ptr<uint8_t>(), bytes, 0, nullptr};
    for (const Format &blocks : kBlocks) {
        if (blocks.name != format) continue;
        TORCH_CHECK(bytes % blocks.bytes == 0, "rows of ", bytes, " bytes are no whole blocks of ", format);
        result.columns = bytes / blocks.bytes * blocks.elements;
        result.decode = blocks.decode;
        return result;
    }
    if (format == "int8") {
        result.columns = bytes;
        result.scales = floats(parts, 1, rows);
        result.decode = decode_int8;
    } else {
        TORCH_CHECK(format == "four_bits" || format == "four_bits_nested", "no format ", format, " of packed matrices");
        result.columns = 2 * bytes;
        result.codebook = floats(parts, 1, 16);
        result.decode = decode_four_bits;
        int64_t blocks = quotient(rows * result.columns, kBlock);
        if (format == "four_bits") {
            result.scales = floats(parts, 2, blocks);
        } else {
            const at::Tensor &codes = checked(parts, 2, at::kByte, 1);
            TORCH_CHECK(codes.size(0) == blocks, "expected codes of ", blocks, " scales, got ", codes.size(0));
            result.scale_codes = codes.const_data_ptr<uint8_t>();
            result.scale_codebook = floats(parts, 3, 256);
            result.scale_scales = floats(parts, 4, quotient(blocks, kNested));
            result.scale_offset = *floats(parts, 5, 1);
        }
    }
    TORCH_CHECK(result.columns % kUnit == 0, "a packed matrix has a multiple of ", kUnit, " columns, not ", result.columns);
    return result;
}

}  // namespace meno::packing
