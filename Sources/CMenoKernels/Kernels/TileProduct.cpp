#include "TileProduct.h"

#include <cstdlib>
#include <string_view>

#include "Conversion.h"
#include "DotBlock.h"
#include "ProductKind.h"

#if defined(__x86_64__) && defined(__linux__)
#define MENO_HAS_AMX 1
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define MENO_AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#endif

namespace meno::tiles {

namespace {

// Plain code, and what it is done with here.

void plain_block(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate, const Aside &aside) {
    for (int64_t piece = 0; piece < aside.pieces; ++piece) aside.work(piece);
    for (int64_t i = 0; i < kBlock; ++i) {
        float sums[kBlock];
        for (int64_t j = 0; j < kBlock; ++j) sums[j] = accumulate ? out[i * out_stride + j] : 0.0f;
        for (int64_t p = 0; p < depth; p += 2) {
            float first = BFloat16::load(left[i * left_stride + p]), second = BFloat16::load(left[i * left_stride + p + 1]);
            for (int64_t half = 0; half < 2; ++half) {
                const uint16_t *pairs = panels + half * kTile * depth + p * kTile;
                for (int64_t j = 0; j < kTile; ++j) {
                    float &sum = sums[half * kTile + j];
                    sum += first * BFloat16::load(pairs[2 * j]);
                    sum += second * BFloat16::load(pairs[2 * j + 1]);
                }
            }
        }
        for (int64_t j = 0; j < kBlock; ++j) out[i * out_stride + j] = sums[j];
    }
}

void plain_narrow(const float *from, int64_t from_stride, int64_t rows, int64_t n, uint16_t *to, int64_t to_stride) {
    for (int64_t i = 0; i < rows; ++i) convert(from + i * from_stride, n, to + i * to_stride);
}

void dots_and_aside(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate, const Aside &aside) {
    dot_block(left, left_stride, panels, depth, out, out_stride, accumulate);
    for (int64_t piece = 0; piece < aside.pieces; ++piece) aside.work(piece);
}

#ifdef MENO_HAS_AMX

MENO_AMX void amx_block(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate, const Aside &aside) {
    const uint16_t *lower_left = left + kTile * left_stride, *right_panel = panels + kTile * depth;
    float *lower = out + kTile * out_stride;
    int64_t left_bytes = left_stride * 2, out_bytes = out_stride * 4;
    if (accumulate) {
        _tile_loadd(0, out, out_bytes);
        _tile_loadd(1, out + kTile, out_bytes);
        _tile_loadd(2, lower, out_bytes);
        _tile_loadd(3, lower + kTile, out_bytes);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    // Data for the next product is prefetched before the current one.
    _tile_loadd(4, left, left_bytes);
    _tile_loadd(6, panels, 64);
    int64_t due = 0, piece = 0;
    for (int64_t p = 0; p < depth; p += kDepth) {
        int64_t next = p + kDepth < depth ? p + kDepth : p;
        _tile_loadd(7, right_panel + p * kTile, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, lower_left + p, left_bytes);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(4, left + next, left_bytes);
        _tile_dpbf16ps(2, 5, 6);
        _tile_loadd(6, panels + next * kTile, 64);
        _tile_dpbf16ps(3, 5, 7);
        for (due += aside.pieces * kDepth; due >= depth; due -= depth) aside.work(piece++);
    }
    _tile_stored(0, out, out_bytes);
    _tile_stored(1, out + kTile, out_bytes);
    _tile_stored(2, lower, out_bytes);
    _tile_stored(3, lower + kTile, out_bytes);
}

// Eight registers of 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);

MENO_AMX void configure() {
    static const TileConfiguration configuration;
    _tile_loadconfig(&configuration);
}
MENO_AMX void release() { _tile_release(); }

// The state of the tiles is kept for a process only once it has asked for that (arch_prctl(2)).
bool has_amx() {
    constexpr long request_permission = 0x1023, tile_data = 18;
    bool supported = __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
                     __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
    return supported && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

#else

bool has_amx() { return false; }

#endif

bool allows_dot() {
#if defined(__x86_64__)
    return has_avx512();
#else
    // Elsewhere libtorch's own level says nothing of bfloat16.
    const char *level = std::getenv("ATEN_CPU_CAPABILITY");
    return !level || std::string_view(level) != "default";
#endif
}

struct Kernels {
    decltype(plain_block) *block = plain_block;
    decltype(plain_narrow) *narrow = plain_narrow;
    void (*configure)() = [] {};
    void (*release)() = [] {};
};

const Kernels &kernels() {
    static constexpr Kernels plain, dot{dots_and_aside, dot_narrow};
#ifdef MENO_HAS_AMX
    static constexpr Kernels unit{amx_block, dot_narrow, configure, release};
    if (product::kind() == product::Kind::matrix_unit) return unit;
#endif
    return product::kind() == product::Kind::dot ? dot : plain;
}

}  // namespace

bool available() {
    auto kind = product::kind();
    return kind == product::Kind::matrix_unit || kind == product::Kind::dot || kind == product::Kind::emulated;
}

bool has_matrix_unit() {
    static const bool result = has_avx512() && has_amx();
    return result;
}

bool has_dot() {
    static const bool result = allows_dot() && has_dot_instruction();
    return result;
}

Session::Session() { kernels().configure(); }
Session::~Session() { kernels().release(); }

void multiply_block(
    const uint16_t *left, int64_t left_stride, const uint16_t *panels, int64_t depth, float *out, int64_t out_stride,
    bool accumulate, const Aside &aside) {
    kernels().block(left, left_stride, panels, depth, out, out_stride, accumulate, aside);
}

void narrow(const float *from, int64_t from_stride, int64_t rows, int64_t n, uint16_t *to, int64_t to_stride) {
    kernels().narrow(from, from_stride, rows, n, to, to_stride);
}

}  // namespace meno::tiles
