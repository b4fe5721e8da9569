// Of DotBlock.h, what Arm processors have. `scripts/arm-test` compiles it on any machine and runs it in an emulator.
#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstring>

#if defined(__linux__)
#include <sys/auxv.h>
#endif

#include "DotBlock.h"

#define MENO_BFDOT __attribute__((target("bf16")))

namespace meno::tiles {

bool has_dot_instruction() {
#if defined(__linux__)
    constexpr unsigned long bf16 = 1ul << 14;  // HWCAP2_BF16
    static const bool result = (getauxval(AT_HWCAP2) & bf16) != 0;
    return result;
#else
    return false;
#endif
}

namespace {

constexpr int64_t kRows = 4, kColumns = 16, kStep = 8;

// Four rows of the left side and a panel of 16 columns: 16 sums of four columns each stay in registers, with the four pairs of
// each row that the next eight places of the depth need.
MENO_BFDOT void dot_rows(
    const uint16_t *left, int64_t left_stride, const uint16_t *panel, int64_t depth, float *out, int64_t out_stride,
    bool accumulate) {
    float32x4_t sums[kRows][4];
    for (int64_t i = 0; i < kRows; ++i)
        for (int64_t j = 0; j < 4; ++j) sums[i][j] = accumulate ? vld1q_f32(out + i * out_stride + 4 * j) : vdupq_n_f32(0);
    for (int64_t p = 0; p < depth; p += kStep) {
        bfloat16x8_t rows[kRows];
        for (int64_t i = 0; i < kRows; ++i) rows[i] = vreinterpretq_bf16_u16(vld1q_u16(left + i * left_stride + p));
        const uint16_t *pairs = panel + p * kColumns;
        auto add = [&]<int pair>() __attribute__((always_inline, target("bf16"))) {
            for (int64_t j = 0; j < 4; ++j) {
                bfloat16x8_t columns = vreinterpretq_bf16_u16(vld1q_u16(pairs + pair * 2 * kColumns + 8 * j));
                for (int64_t i = 0; i < kRows; ++i) sums[i][j] = vbfdotq_laneq_f32(sums[i][j], columns, rows[i], pair);
            }
        };
        add.template operator()<0>();
        add.template operator()<1>();
        add.template operator()<2>();
        add.template operator()<3>();
    }
    for (int64_t i = 0; i < kRows; ++i)
        for (int64_t j = 0; j < 4; ++j) vst1q_f32(out + i * out_stride + 4 * j, sums[i][j]);
}

}  // namespace

void dot_block(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate) {
    for (int64_t i = 0; i < 2 * kColumns; i += kRows)
        for (int64_t half = 0; half < 2; ++half)
            dot_rows(
                left + i * left_stride, left_stride, panels + half * kColumns * depth, depth,
                out + i * out_stride + half * kColumns, out_stride, accumulate);
}

MENO_BFDOT void dot_narrow(const float *from, int64_t from_stride, int64_t rows, int64_t n, uint16_t *to, int64_t to_stride) {
    for (; rows > 0; --rows, from += from_stride, to += to_stride) {
        int64_t i = 0;
        for (; i + 4 <= n; i += 4) vst1_u16(to + i, vreinterpret_u16_bf16(vcvt_bf16_f32(vld1q_f32(from + i))));
        for (; i < n; ++i) {
            bfloat16_t rounded = vcvth_bf16_f32(from[i]);
            std::memcpy(to + i, &rounded, sizeof rounded);
        }
    }
}

}  // namespace meno::tiles

#endif
