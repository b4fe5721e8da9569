// Blocks of GGUF files whose values are a multiple of their quants, as ggml-common.h lays them out. `unit` decodes the 32
// values number `part` of a block, in the order of operations of the `gguf` package.
//
// At byte `factors` a block has `factor_count` numbers in half precision: d, which multiplies its quants, and behind it m, what
// is added or subtracted. `unit` is given both as float32, which is read for many blocks at once: one by one it takes longer
// than the quants do.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "Vector.h"

// The references have no fused operations.
#pragma STDC FP_CONTRACT OFF

namespace meno::packing {

namespace {

MENO_INLINE float half(uint16_t bits) {
    uint32_t wide = bits, sign = (wide & 0x8000u) << 16, exponent = wide & 0x7C00u, mantissa = wide & 0x03FFu;
    // Bias 15 becomes 127; an exponent of ones (infinity, NaN) is one again.
    uint32_t rebias = exponent == 0x7C00u ? (255u - 31u) << 23 : (127u - 15u) << 23;
    uint32_t normal = ((wide & 0x7FFFu) << 13) + rebias;
    auto subnormal = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(mantissa)) * 0x1p-24f);
    return std::bit_cast<float>(sign | (exponent == 0 ? subnormal : normal));
}

MENO_INLINE uint16_t bits_of_half(const uint8_t *bytes) {
    uint16_t bits;
    std::memcpy(&bits, bytes, sizeof bits);
    return bits;
}

MENO_INLINE float half(const uint8_t *bytes) { return half(bits_of_half(bytes)); }

MENO_INLINE float real(int32_t value) { return static_cast<float>(value); }

struct F16 {
    static constexpr int64_t elements = 32, bytes = 64, factors = 0, factor_count = 0;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float, float, float *x) {
        for (int64_t i = 0; i < 32; ++i) x[i] = half(block + 2 * i);
    }
};

struct Q4_0 {
    static constexpr int64_t elements = 32, bytes = 18, factors = 0, factor_count = 1;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float d, float, float *x) {
        for (int64_t i = 0; i < 16; ++i) {
            x[i] = d * real((block[2 + i] & 0x0F) - 8);
            x[16 + i] = d * real((block[2 + i] >> 4) - 8);
        }
    }
};

struct Q4_1 {
    static constexpr int64_t elements = 32, bytes = 20, factors = 0, factor_count = 2;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float d, float m, float *x) {
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
    static constexpr int64_t elements = 32, bytes = 22, factors = 0, factor_count = 1;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float d, float, float *x) {
        uint32_t high = fifth_bits(block + 2);
        for (int64_t i = 0; i < 16; ++i) {
            int32_t first = static_cast<int32_t>(high >> i & 1u) << 4, second = static_cast<int32_t>(high >> (i + 16) & 1u) << 4;
            x[i] = d * real(((block[6 + i] & 0x0F) | first) - 16);
            x[16 + i] = d * real(((block[6 + i] >> 4) | second) - 16);
        }
    }
};

struct Q5_1 {
    static constexpr int64_t elements = 32, bytes = 24, factors = 0, factor_count = 2;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float d, float m, float *x) {
        uint32_t high = fifth_bits(block + 4);
        for (int64_t i = 0; i < 16; ++i) {
            int32_t first = static_cast<int32_t>(high >> i & 1u) << 4, second = static_cast<int32_t>(high >> (i + 16) & 1u) << 4;
            x[i] = d * real((block[8 + i] & 0x0F) | first) + m;
            x[16 + i] = d * real((block[8 + i] >> 4) | second) + m;
        }
    }
};

struct Q8_0 {
    static constexpr int64_t elements = 32, bytes = 34, factors = 0, factor_count = 1;
    MENO_INLINE void unit(const uint8_t *block, int64_t, float d, float, float *x) {
        for (int64_t i = 0; i < 32; ++i) x[i] = real(static_cast<int8_t>(block[2 + i])) * d;
    }
};

struct Q2_K {
    static constexpr int64_t elements = 256, bytes = 84, factors = 80, factor_count = 2;
    MENO_INLINE void unit(const uint8_t *block, int64_t part, float d, float m, float *x) {
        const uint8_t *quants = block + 16 + part / 4 * 32;
        int32_t shift = part % 4 * 2;
        for (int64_t j = 0; j < 2; ++j) {
            int32_t both = block[2 * part + j];
            float scale = d * real(both & 0x0F), minimum = m * real(both >> 4);
            for (int64_t i = 16 * j; i < 16 * j + 16; ++i) x[i] = scale * real(quants[i] >> shift & 3) - minimum;
        }
    }
};

struct Q3_K {
    static constexpr int64_t elements = 256, bytes = 110, factors = 108, factor_count = 1;
    // One of sixteen scales of six bits: see BlockDecodersNarrow.swift.
    MENO_INLINE int32_t scale(const uint8_t *packed, int64_t index) {
        int32_t low = packed[index & 7] >> (index >> 3 << 2) & 0x0F, high = packed[8 + (index & 3)] >> (index >> 2 << 1) & 3;
        return (low | high << 4) - 32;
    }
    MENO_INLINE void unit(const uint8_t *block, int64_t part, float d, float, float *x) {
        const uint8_t *quants = block + 32 + part / 4 * 32;
        int32_t shift = part % 4 * 2, place = static_cast<int32_t>(part);
        for (int64_t j = 0; j < 2; ++j) {
            float factor = d * real(scale(block + 96, 2 * part + j));
            for (int64_t i = 16 * j; i < 16 * j + 16; ++i)
                x[i] = factor * real((quants[i] >> shift & 3) - (~block[i] >> place & 1) * 4);
        }
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
    static constexpr int64_t elements = 256, bytes = 144, factors = 0, factor_count = 2;
    MENO_INLINE void unit(const uint8_t *block, int64_t part, float d, float m, float *x) {
        ScaleAndMinimum both = scale_and_minimum(block + 4, part);
        float scale = d * real(both.scale), minimum = m * real(both.minimum);
        const uint8_t *quants = block + 16 + part / 2 * 32;
        int32_t shift = part % 2 * 4;
        for (int64_t i = 0; i < 32; ++i) x[i] = scale * real(quants[i] >> shift & 0x0F) - minimum;
    }
};

struct Q5_K {
    static constexpr int64_t elements = 256, bytes = 176, factors = 0, factor_count = 2;
    MENO_INLINE void unit(const uint8_t *block, int64_t part, float d, float m, float *x) {
        ScaleAndMinimum both = scale_and_minimum(block + 4, part);
        float scale = d * real(both.scale), minimum = m * real(both.minimum);
        const uint8_t *quants = block + 48 + part / 2 * 32, *fifths = block + 16;
        int32_t shift = part % 2 * 4, place = static_cast<int32_t>(part);
        for (int64_t i = 0; i < 32; ++i)
            x[i] = scale * real((quants[i] >> shift & 0x0F) | ((fifths[i] >> place & 1) << 4)) - minimum;
    }
};

struct Q6_K {
    static constexpr int64_t elements = 256, bytes = 210, factors = 208, factor_count = 1;
    MENO_INLINE void unit(const uint8_t *block, int64_t part, float d, float, float *x) {
        int64_t side = part / 4;
        const uint8_t *low = block + side * 64 + part % 2 * 32, *high = block + 128 + side * 32;
        int32_t low_shift = part % 4 / 2 * 4, high_shift = part % 4 * 2;
        for (int64_t j = 0; j < 2; ++j) {
            float scale = d * real(static_cast<int8_t>(block[192 + 2 * part + j]));
            for (int64_t i = 16 * j; i < 16 * j + 16; ++i)
                x[i] = scale * real(((low[i] >> low_shift & 0x0F) | ((high[i] >> high_shift & 0x03) << 4)) - 32);
        }
    }
};

}  // namespace

}  // namespace meno::packing
