#include "BlockQuantizing.h"

#include <c10/util/Half.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "Parallel.h"
#include "ScaleSearch.h"

// The same bytes on every processor.
#pragma STDC FP_CONTRACT OFF

namespace meno::packing {

namespace {

// A half and its value.
struct Rounded {
    uint16_t bits;
    float value;

    MENO_INLINE Rounded of(float x) {
        uint16_t bits = c10::detail::fp16_ieee_from_fp32_value(x);
        return {bits, c10::detail::fp16_ieee_to_fp32_value(bits)};
    }
};

MENO_INLINE uint8_t byte(float whole) {
    return static_cast<uint8_t>(std::bit_cast<uint32_t>(whole + kShift) - std::bit_cast<uint32_t>(kShift));
}

// Q4_K and Q5_K: eight groups of 32 values, each with a scale and a minimum of six bits. Two blocks are sixteen groups.
struct GroupedBlocks {
    static constexpr int64_t groups = 8, size = 32;
    Floats scales, minima;
    uint8_t packed[2][16];

    // Writes scales and minima of a block as they are stored, and puts in their place what they will be decoded as.
    MENO_INLINE void store(GroupedBlocks &blocks, int64_t block) {
        float scale = 0, minimum = 0;
        int64_t first = block * groups;
        for (int64_t g = first; g < first + groups; ++g) {
            scale = std::max(scale, blocks.scales[g]);
            minimum = std::max(minimum, blocks.minima[g]);
        }
        Rounded d = Rounded::of(scale / 63), least = Rounded::of(minimum / 63);
        uint8_t *to = blocks.packed[block];
        std::memcpy(to, &d.bits, 2);
        std::memcpy(to + 2, &least.bits, 2);
        uint8_t *bytes = to + 4;
        std::memset(bytes, 0, 12);
        for (int64_t g = 0; g < groups; ++g) {
            float whole_scale = six_bits(blocks.scales[first + g], scale), whole_minimum = six_bits(blocks.minima[first + g], minimum);
            blocks.scales[first + g] = whole_scale * d.value;
            blocks.minima[first + g] = whole_minimum * least.value;
            uint8_t a = byte(whole_scale), b = byte(whole_minimum);
            if (g < 4) {
                bytes[g] |= a;
                bytes[g + 4] |= b;
            } else {
                bytes[g - 4] |= static_cast<uint8_t>((a & 0x30) << 2);
                bytes[g] |= static_cast<uint8_t>((b & 0x30) << 2);
                bytes[g + 4] |= static_cast<uint8_t>((a & 0x0F) | (b & 0x0F) << 4);
            }
        }
    }

    MENO_INLINE float six_bits(float value, float largest) {
        if (!(largest > 0)) return 0;
        float whole = (value * (63 / largest) + kShift) - kShift;
        return whole > 63 ? 63 : whole;
    }
};

// The values of two blocks as whole numbers of their groups' scales: quants[i][group].
MENO_INLINE void quantize_groups(
    const float *first, const float *second, float levels, float range, int steps, GroupedBlocks &blocks, uint8_t (&quants)[32][kLanes]) {
    Floats x[32];
    for (int64_t g = 0; g < kLanes; ++g) {
        const float *group = g < 8 ? first + g * 32 : second + (g - 8) * 32;
        for (int64_t i = 0; i < 32; ++i) x[i][g] = group[i];
    }
    search_scales_and_minima(x, levels, range, steps, blocks.scales, blocks.minima);
    GroupedBlocks::store(blocks, 0);
    GroupedBlocks::store(blocks, 1);
    for (int64_t i = 0; i < 32; ++i) {
        Floats whole = (x[i] + blocks.minima) / blocks.scales;
        whole = blocks.scales > 0 ? whole : Floats{};
        round_within(whole, 0, levels);
        for (int64_t g = 0; g < kLanes; ++g) quants[i][g] = byte(whole[g]);
    }
}

MENO_VECTOR_CLONES void quantize_Q4_K(const float *x, int64_t count, uint8_t *to) {
    for (int64_t block = 0; block < count; block += 2) {
        int64_t here = std::min<int64_t>(2, count - block);
        const float *first = x + block * 256;
        GroupedBlocks blocks;
        uint8_t quants[32][kLanes];
        quantize_groups(first, first + (here - 1) * 256, 15, -1, 20, blocks, quants);
        for (int64_t b = 0; b < here; ++b, to += 144) {
            std::memcpy(to, blocks.packed[b], 16);
            for (int64_t pair = 0; pair < 4; ++pair)
                for (int64_t i = 0; i < 32; ++i) {
                    const uint8_t *q = &quants[i][8 * b + 2 * pair];
                    to[16 + pair * 32 + i] = static_cast<uint8_t>(q[0] | q[1] << 4);
                }
        }
    }
}

MENO_VECTOR_CLONES void quantize_Q5_K(const float *x, int64_t count, uint8_t *to) {
    for (int64_t block = 0; block < count; block += 2) {
        int64_t here = std::min<int64_t>(2, count - block);
        const float *first = x + block * 256;
        GroupedBlocks blocks;
        uint8_t quants[32][kLanes];
        quantize_groups(first, first + (here - 1) * 256, 31, -0.5f, 15, blocks, quants);
        for (int64_t b = 0; b < here; ++b, to += 176) {
            std::memcpy(to, blocks.packed[b], 16);
            for (int64_t i = 0; i < 32; ++i) {
                const uint8_t *q = &quants[i][8 * b];
                uint32_t fifths = 0;
                for (int64_t g = 0; g < 8; ++g) fifths |= static_cast<uint32_t>(q[g] >> 4) << g;
                to[16 + i] = static_cast<uint8_t>(fifths);
                for (int64_t pair = 0; pair < 4; ++pair)
                    to[48 + pair * 32 + i] = static_cast<uint8_t>((q[2 * pair] & 0x0F) | (q[2 * pair + 1] & 0x0F) << 4);
            }
        }
    }
}

// Sixteen groups of sixteen values, each with a scale of eight bits.
MENO_VECTOR_CLONES void quantize_Q6_K(const float *x, int64_t count, uint8_t *to) {
    for (int64_t block = 0; block < count; ++block, x += 256, to += 210) {
        Floats values[16], scales;
        for (int64_t g = 0; g < kLanes; ++g)
            for (int64_t i = 0; i < 16; ++i) values[i][g] = x[g * 16 + i];
        search_scales(values, 32, scales);
        float extreme = 0;
        for (int64_t g = 0; g < kLanes; ++g)
            if (std::fabs(scales[g]) > std::fabs(extreme)) extreme = scales[g];
        Rounded d = Rounded::of(extreme / -128);
        float inverse = extreme == 0 ? 0 : -128 / extreme;
        for (int64_t g = 0; g < kLanes; ++g) {
            float whole = (scales[g] * inverse + kShift) - kShift;
            whole = whole > 127 ? 127 : whole;
            to[192 + g] = byte(whole);
            scales[g] = d.value * whole;
        }
        uint8_t quants[16][kLanes];
        for (int64_t i = 0; i < 16; ++i) {
            Floats whole = values[i] / scales;
            whole = scales != 0 ? whole : Floats{};
            round_within(whole, -32, 31);
            for (int64_t g = 0; g < kLanes; ++g) quants[i][g] = byte(whole[g] + 32);
        }
        // Four rows of 32 values share 64 bytes of low nibbles and 32 of high bits.
        for (int64_t side = 0; side < 2; ++side)
            for (int64_t place = 0; place < 32; ++place) {
                uint32_t q[4];
                for (int64_t row = 0; row < 4; ++row) q[row] = quants[place % 16][side * 8 + row * 2 + place / 16];
                to[side * 64 + place] = static_cast<uint8_t>((q[0] & 0x0F) | (q[2] & 0x0F) << 4);
                to[side * 64 + 32 + place] = static_cast<uint8_t>((q[1] & 0x0F) | (q[3] & 0x0F) << 4);
                to[128 + side * 32 + place] = static_cast<uint8_t>(q[0] >> 4 | q[1] >> 4 << 2 | q[2] >> 4 << 4 | q[3] >> 4 << 6);
            }
        std::memcpy(to + 208, &d.bits, 2);
    }
}

struct Search {
    std::string_view format;
    void (*quantize)(const float *x, int64_t count, uint8_t *blocks);
    int64_t bytes;
};
constexpr Search kSearches[] = {{"Q4_K", quantize_Q4_K, 144}, {"Q5_K", quantize_Q5_K, 176}, {"Q6_K", quantize_Q6_K, 210}};

}  // namespace

void quantize_blocks(const at::Tensor &values, std::string_view format, const at::Tensor &blocks) {
    const Search *search = std::ranges::find(kSearches, format, &Search::format);
    TORCH_CHECK(search != std::end(kSearches), "no search for blocks of the format ", format);
    TORCH_CHECK(
        values.is_cpu() && values.is_contiguous() && values.scalar_type() == at::kFloat && values.numel() % 256 == 0,
        "expected contiguous float32 values in blocks of 256, got ", values.sizes());
    int64_t count = values.numel() / 256;
    TORCH_CHECK(
        blocks.is_cpu() && blocks.is_contiguous() && blocks.scalar_type() == at::kByte && blocks.numel() == count * search->bytes,
        "expected ", count * search->bytes, " bytes for ", count, " blocks, got ", blocks.sizes());
    const auto *from = values.const_data_ptr<float>();
    auto *to = blocks.data_ptr<uint8_t>();
    parallel_rows(count, 1 << 6, [&](int64_t begin, int64_t end) {
        search->quantize(from + begin * 256, end - begin, to + begin * search->bytes);
    });
}

}  // namespace meno::packing
