// Compares the products by Arm's BFDOT with the definition, in float64. Run by scripts/arm-test, in an emulator where the machine is
// no Arm.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "../../Sources/CMenoKernels/Kernels/DotBlock.h"

namespace {

constexpr int64_t kBlock = 32, kTile = 16;

float widened(uint16_t x) {
    uint32_t bits = static_cast<uint32_t>(x) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t rounded(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// The largest error of a block of sums, relative to the sum of what was added in absolute value.
double error(int64_t depth, int64_t left_stride, bool accumulate) {
    std::mt19937 random(static_cast<uint32_t>(depth));
    std::normal_distribution<float> normal;
    std::vector<uint16_t> left(static_cast<size_t>(kBlock * left_stride)), panels(static_cast<size_t>(kBlock * depth));
    for (auto &x : left) x = rounded(normal(random));
    for (auto &x : panels) x = rounded(normal(random));
    int64_t stride = kBlock + 5;
    std::vector<float> out(static_cast<size_t>(kBlock * stride), 0.5f);
    meno::tiles::dot_block(left.data(), left_stride, panels.data(), depth, out.data(), stride, accumulate);
    double worst = 0;
    for (int64_t i = 0; i < kBlock; ++i)
        for (int64_t j = 0; j < kBlock; ++j) {
            double sum = accumulate ? 0.5 : 0, size = 1;
            for (int64_t p = 0; p < depth; ++p) {
                int64_t place = j / kTile * kTile * depth + p / 2 * 2 * kTile + j % kTile * 2 + p % 2;
                double product = double(widened(left[static_cast<size_t>(i * left_stride + p)])) *
                                 widened(panels[static_cast<size_t>(place)]);
                sum += product;
                size += std::abs(product);
            }
            worst = std::max(worst, std::abs(sum - out[static_cast<size_t>(i * stride + j)]) / size);
        }
    for (int64_t i = 0; i < kBlock; ++i)
        for (int64_t j = kBlock; j < stride; ++j)
            if (out[static_cast<size_t>(i * stride + j)] != 0.5f) return 1;
    return worst;
}

}  // namespace

int main() {
    if (!meno::tiles::has_dot_instruction()) {
        std::puts("this processor has no BFDOT");
        return 2;
    }
    bool isRight = true;
    for (int64_t depth : {32, 64, 96, 640, 2048})
        for (bool accumulate : {false, true}) {
            double worst = error(depth, depth + 32, accumulate);
            isRight = isRight && worst < 1e-6;
            std::printf("depth %4ld%s: %.1e\n", static_cast<long>(depth), accumulate ? ", added" : "", worst);
        }
    std::vector<float> values;
    for (int i = 0; i < 1003; ++i) values.push_back(std::ldexp(std::sin(static_cast<float>(i)), i % 40 - 20));
    std::vector<uint16_t> narrow(values.size());
    auto count = static_cast<int64_t>(values.size());
    meno::tiles::dot_narrow(values.data(), count, 1, count, narrow.data(), count);
    int64_t differing = 0;
    for (size_t i = 0; i < values.size(); ++i) differing += narrow[i] != rounded(values[i]);
    std::printf("rounded otherwise: %ld of %zu\n", static_cast<long>(differing), values.size());
    return isRight && differing == 0 ? 0 : 1;
}
