#include "Packing.h"

#include <algorithm>
#include <bit>

#include "GGUFBlocks.h"
#include "NibbleDots.h"
#include "TableLookup.h"
#include "Vector.h"

// The order of operations and their roundings are those of the references, which have no fused ones.
#pragma STDC FP_CONTRACT OFF

namespace meno::packing {

namespace {

// Calls body(unit, block, part, d, m) for each unit of a row from `first` to `end`.
template <class Block, class Body>
MENO_INLINE void for_each_unit(const Packed &matrix, int64_t row, int64_t first, int64_t end, const Body &body) {
    // Blocks whose factors are read at once.
    constexpr int64_t units = Block::elements / kUnit, most = 32;
    const uint8_t *blocks = matrix.data + row * matrix.row_bytes;
    for (int64_t block = first / units, behind = (end + units - 1) / units; block < behind; block += most) {
        int64_t here = std::min(most, behind - block);
        float factors[2][most] = {};
        for (int64_t k = 0; k < Block::factor_count; ++k) {
            uint16_t bits[most] = {};
            for (int64_t i = 0; i < here; ++i) bits[i] = bits_of_half(blocks + (block + i) * Block::bytes + Block::factors + 2 * k);
            for (int64_t i = 0; i < most; ++i) factors[k][i] = half(bits[i]);
        }
        for (int64_t i = 0; i < here; ++i) {
            int64_t start = (block + i) * units;
            for (int64_t unit = std::max(start, first); unit < std::min(start + units, end); ++unit)
                body(unit, blocks + (block + i) * Block::bytes, unit - start, factors[0][i], factors[1][i]);
        }
    }
}

template <class Block>
MENO_INLINE void decode_blocks(const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {
    int64_t start = first / kUnit;
    for_each_unit<Block>(
        matrix, row, start, start + count / kUnit,
        [&](int64_t unit, const uint8_t *block, int64_t part, float d, float m) __attribute__((always_inline)) {
            Block::unit(block, part, d, m, values + (unit - start) * kUnit);
        });
}

template <class Block>
MENO_INLINE float dot_blocks(const Packed &matrix, int64_t row, const float *x) {
    float sums[kUnit] = {};
    for_each_unit<Block>(
        matrix, row, 0, matrix.columns / kUnit,
        [&](int64_t unit, const uint8_t *block, int64_t part, float d, float m) __attribute__((always_inline)) {
            float values[kUnit];
            Block::unit(block, part, d, m, values);
            for (int64_t i = 0; i < kUnit; ++i) sums[i] = __builtin_fmaf(values[i], x[unit * kUnit + i], sums[i]);
        });
    return pairwise_sum<kUnit>(sums);
}

#define MENO_BLOCKS(Block)                                                                                             \
    MENO_VECTOR_CLONES void decode_##Block(                                                                            \
        const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {                              \
        decode_blocks<Block>(matrix, row, first, count, values);                                                       \
    }                                                                                                                  \
    MENO_VECTOR_CLONES float dot_##Block(const Packed &matrix, int64_t row, const float *x) {                          \
        return dot_blocks<Block>(matrix, row, x);                                                                      \
    }
MENO_BLOCKS(F16)
MENO_BLOCKS(Q4_0)
MENO_BLOCKS(Q4_1)
MENO_BLOCKS(Q5_0)
MENO_BLOCKS(Q5_1)
MENO_BLOCKS(Q8_0)
MENO_BLOCKS(Q2_K)
MENO_BLOCKS(Q3_K)
MENO_BLOCKS(Q4_K)
MENO_BLOCKS(Q5_K)
MENO_BLOCKS(Q6_K)
#undef MENO_BLOCKS

// For formats whose decoding is a kernel of its own.
MENO_VECTOR_CLONES float dot_decoded(const Packed &matrix, int64_t row, const float *x) {
    constexpr int64_t most = 1024;
    alignas(64) float values[most];
    float sums[kUnit] = {};
    for (int64_t first = 0; first < matrix.columns; first += most) {
        int64_t count = std::min(most, matrix.columns - first);
        matrix.decode(matrix, row, first, count, values);
        for (int64_t start = 0; start < count; start += kUnit)
            for (int64_t i = 0; i < kUnit; ++i)
                sums[i] = __builtin_fmaf(values[start + i], x[first + start + i], sums[i]);
    }
    return pairwise_sum<kUnit>(sums);
}

// Blocks of GGUF files whose quants are numbers of sixteen values.

constexpr float kNonlinear[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
// Doubled.
constexpr float kMicroscaling[] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

struct IQ4_NL {
    static constexpr int64_t elements = 32, bytes = 18, codes = 2;
    static constexpr const float *table = kNonlinear;
    MENO_INLINE float factor(const uint8_t *block, int64_t) { return half(block); }
};

struct IQ4_XS {
    static constexpr int64_t elements = 256, bytes = 136, codes = 8;
    static constexpr const float *table = kNonlinear;
    MENO_INLINE float factor(const uint8_t *block, int64_t part) {
        int32_t low = block[4 + part / 2] >> part % 2 * 4 & 0x0F, high = block[2 + part / 4] >> part % 4 * 2 & 3;
        return half(block) * real((low | high << 4) - 32);
    }
};

struct MXFP4 {
    static constexpr int64_t elements = 32, bytes = 17, codes = 1;
    static constexpr const float *table = kMicroscaling;
    // Half of 2^(exponent − 127); the two least are subnormal.
    MENO_INLINE float factor(const uint8_t *block, int64_t) {
        uint32_t exponent = block[0];
        return std::bit_cast<float>(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
    }
};

// Factors that are looked up at a time.
constexpr int64_t kFactors = 64;

// Codes that lie together are looked up together: those of a block of 256, and of all blocks of 32.
template <class Block>
void decode_table(const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {
    constexpr int64_t units = Block::elements / kUnit, most = units > 1 ? units : kFactors;
    const uint8_t *blocks = matrix.data + row * matrix.row_bytes;
    for (int64_t unit = first / kUnit, end = (first + count) / kUnit; unit < end;) {
        int64_t part = unit % units, here = std::min(units > 1 ? most - part : most, end - unit);
        const uint8_t *block = blocks + unit / units * Block::bytes;
        float factors[most];
        for (int64_t i = 0; i < here; ++i) factors[i] = Block::factor(units > 1 ? block : block + i * Block::bytes, part + i);
        look_up_halves(
            Block::table, block + Block::codes + part * kUnit / 2, units > 1 ? kUnit / 2 : Block::bytes, factors, here, values);
        values += here * kUnit;
        unit += here;
    }
}

// bitsandbytes. Blocks are counted through all rows.

constexpr int64_t kBlock = 64, kNested = 256;

MENO_VECTOR_CLONES void decode_int8(const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {
    auto codes = reinterpret_cast<const int8_t *>(matrix.data) + row * matrix.row_bytes + first;
    float scale = matrix.scales[row];
    for (int64_t i = 0; i < count; ++i) values[i] = real(codes[i]) * scale * 7.874015718698502e-3f;
}

void decode_four_bits(const Packed &matrix, int64_t row, int64_t first, int64_t count, float *values) {
    const uint8_t *codes = matrix.data + row * matrix.row_bytes + first / 2;
    int64_t start = row * matrix.columns + first, units = count / kUnit;
    auto scale = [&](int64_t block) {
        if (!matrix.scale_codes) return matrix.scales[block];
        float nested = matrix.scale_codebook[matrix.scale_codes[block]] * matrix.scale_scales[block / kNested];
        return nested + matrix.scale_offset;
    };
    for (int64_t done = 0; done < units; done += kFactors) {
        float factors[kFactors];
        int64_t here = std::min(kFactors, units - done);
        for (int64_t i = 0; i < here; ++i) factors[i] = scale((start + (done + i) * kUnit) / kBlock);
        look_up_pairs(matrix.codebook, codes + done * kUnit / 2, kUnit / 2, factors, here, values + done * kUnit);
    }
}

struct Format {
    std::string_view name;
    decltype(Packed::decode) decode;
    decltype(Packed::dot) dot;
    int64_t elements, bytes;
};

#define MENO_FORMAT(Block) Format{#Block, decode_##Block, dot_##Block, Block::elements, Block::bytes}
#define MENO_TABLE(Block) Format{#Block, decode_table<Block>, dot_decoded, Block::elements, Block::bytes}
constexpr Format kBlocks[] = {
    MENO_FORMAT(F16),  MENO_FORMAT(Q4_0), MENO_FORMAT(Q4_1), MENO_FORMAT(Q5_0), MENO_FORMAT(Q5_1),
    MENO_FORMAT(Q8_0), MENO_FORMAT(Q2_K), MENO_FORMAT(Q3_K), MENO_FORMAT(Q4_K), MENO_FORMAT(Q5_K), MENO_FORMAT(Q6_K),
    MENO_TABLE(IQ4_NL), MENO_TABLE(IQ4_XS), MENO_TABLE(MXFP4),
};
#undef MENO_FORMAT
#undef MENO_TABLE

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
    Packed result{data.const_data_ptr<uint8_t>(), bytes, 0, nullptr, dot_decoded};
    for (const Format &blocks : kBlocks) {
        if (blocks.name != format) continue;
        TORCH_CHECK(bytes % blocks.bytes == 0, "rows of ", bytes, " bytes are no whole blocks of ", format);
        result.columns = bytes / blocks.bytes * blocks.elements;
        result.decode = blocks.decode;
        auto nibbles = nibble_dot(format);
        result.dot = nibbles ? nibbles : blocks.dot;
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
