// The entries of a row of weights over a chunk of the vocabulary that count, and the sum of the table's rows that they weigh.
#pragma once

#include <algorithm>
#include <cstring>

#include "Product.h"
#include "Vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace meno::vocabulary {

using product::kChunk;

// Weighted rows of the table, at most one for each word of a chunk. Room for a whole vector more, which is written at once.
struct Entries {
    int32_t words[kChunk + kLanes];
    float weights[kChunk + kLanes];
    int64_t count = 0;

    Entries() = default;
    Entries(int64_t word, float weight) : count(1) {
        words[0] = static_cast<int32_t>(word);
        weights[0] = weight;
    }

    void append(int64_t word, float weight) {
        words[count] = static_cast<int32_t>(word);
        weights[count++] = weight;
    }
};

}  // namespace meno::vocabulary

namespace {

using meno::vocabulary::Entries;

// Takes the entries of a row that are not below the threshold; their sum.
MENO_VECTOR_CLONES double select_plainly(const float *row, int64_t n, float threshold, int32_t first, Entries &entries) {
    double total = 0;
    for (int64_t i = 0; i < n; i += kLanes) {
        int64_t width = std::min(kLanes, n - i);
        float top = 0;
        if (width == kLanes)
            for (int64_t l = 0; l < kLanes; ++l) top = top > row[i + l] ? top : row[i + l];
        else
            top = threshold;
        if (top < threshold) continue;
        for (int64_t l = 0; l < width; ++l)
            if (row[i + l] >= threshold) {
                entries.words[entries.count] = first + static_cast<int32_t>(i + l);
                entries.weights[entries.count++] = row[i + l];
                total += row[i + l];
            }
    }
    return total;
}

#if defined(__x86_64__)
// Without a branch on the values, which no predictor foresees.
__attribute__((target("avx512f,popcnt"))) double select_compressed(
    const float *row, int64_t n, float threshold, int32_t first, Entries &entries) {
    const __m512 least = _mm512_set1_ps(threshold);
    const __m512i step = _mm512_set1_epi32(kLanes);
    __m512i words = _mm512_add_epi32(
        _mm512_set1_epi32(first), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    __m512 total = _mm512_setzero_ps();
    int64_t count = entries.count;
    for (int64_t i = 0; i < n; i += kLanes, words = _mm512_add_epi32(words, step)) {
        auto inside = static_cast<__mmask16>(n - i < kLanes ? (1u << (n - i)) - 1 : 0xFFFFu);
        __m512 values = _mm512_maskz_loadu_ps(inside, row + i);
        __mmask16 taken = _mm512_mask_cmp_ps_mask(inside, values, least, _CMP_GE_OQ);
        _mm512_storeu_ps(entries.weights + count, _mm512_maskz_compress_ps(taken, values));
        _mm512_storeu_si512(entries.words + count, _mm512_maskz_compress_epi32(taken, words));
        total = _mm512_mask_add_ps(total, taken, total, values);
        count += _mm_popcnt_u32(taken);
    }
    entries.count = count;
    return _mm512_reduce_add_ps(total);
}
#endif

double select(const float *row, int64_t n, float threshold, int32_t first, Entries &entries) {
#if defined(__x86_64__)
    if (has_avx512()) return select_compressed(row, n, threshold, first, entries);
#endif
    return select_plainly(row, n, threshold, first, entries);
}

// out += Σ weight · table[word − first], 64 columns at a time in registers.
MENO_VECTOR_CLONES void gather_float32(
    float *out, const Entries &entries, const void *table, int64_t columns, int64_t first = 0) {
    constexpr int64_t width = 64;
    int64_t start = 0;
    for (; start + width <= columns; start += width) {
        float sums[width];
        for (int64_t l = 0; l < width; ++l) sums[l] = out[start + l];
        for (int64_t e = 0; e < entries.count; ++e) {
            const float *row = static_cast<const float *>(table) + (entries.words[e] - first) * columns + start;
            float weight = entries.weights[e];
            for (int64_t l = 0; l < width; ++l) sums[l] += weight * row[l];
        }
        for (int64_t l = 0; l < width; ++l) out[start + l] = sums[l];
    }
    for (int64_t e = 0; e < entries.count; ++e)
        for (int64_t l = start; l < columns; ++l)
            out[l] += entries.weights[e] * static_cast<const float *>(table)[(entries.words[e] - first) * columns + l];
}

// The same, with two columns taken from each 32 bits: the first by a shift, the second by leaving the first out.
MENO_VECTOR_CLONES void gather_bfloat16(
    float *out, const Entries &entries, const void *table, int64_t columns, int64_t first = 0) {
    constexpr int64_t width = 32;  // pairs
    int64_t start = 0;
    for (; start + 2 * width <= columns; start += 2 * width) {
        float firsts[width], seconds[width];
        for (int64_t l = 0; l < width; ++l) {
            firsts[l] = out[start + 2 * l];
            seconds[l] = out[start + 2 * l + 1];
        }
        for (int64_t e = 0; e < entries.count; ++e) {
            uint32_t pairs[width];
            std::memcpy(pairs, static_cast<const uint16_t *>(table) + (entries.words[e] - first) * columns + start, sizeof pairs);
            float weight = entries.weights[e];
            for (int64_t l = 0; l < width; ++l) {
                firsts[l] += weight * std::bit_cast<float>(pairs[l] << 16);
                seconds[l] += weight * std::bit_cast<float>(pairs[l] & 0xFFFF0000u);
            }
        }
        for (int64_t l = 0; l < width; ++l) {
            out[start + 2 * l] = firsts[l];
            out[start + 2 * l + 1] = seconds[l];
        }
    }
    for (int64_t e = 0; e < entries.count; ++e)
        for (int64_t l = start; l < columns; ++l)
            out[l] += entries.weights[e] *
                      BFloat16::load(static_cast<const uint16_t *>(table)[(entries.words[e] - first) * columns + l]);
}

}  // namespace
