#include "KernelEmulation.h"

#include <barrier>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// MARK: The language of the kernels, for the host

#define __device__
#define __global__
#define __launch_bounds__(threads)
#define __shared__ static  // one block runs at a time

namespace {

struct Position {
    unsigned x, y;
};
thread_local Position threadIdx, blockIdx;
Position blockDim;

constexpr unsigned kLanes = 32;

// Each thread of a block is one of the system.
struct Block {
    std::barrier<> all;
    std::vector<std::unique_ptr<std::barrier<>>> warps;
    std::vector<uint64_t> slots;

    explicit Block(unsigned threads) : all(threads), slots(threads) {
        for (unsigned warp = 0; warp < threads / kLanes; ++warp)
            warps.push_back(std::make_unique<std::barrier<>>(static_cast<std::ptrdiff_t>(kLanes)));
    }
};
Block *block;

float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }

void __syncthreads() { block->all.arrive_and_wait(); }

template <class Value>
Value __shfl_xor_sync(unsigned, Value value, int mask) {
    static_assert(sizeof(Value) <= sizeof(uint64_t));
    unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
    auto &warp = *block->warps[thread / kLanes];
    __builtin_memcpy(&block->slots[thread], &value, sizeof(Value));
    warp.arrive_and_wait();
    Value result;
    __builtin_memcpy(&result, &block->slots[thread ^ static_cast<unsigned>(mask)], sizeof(Value));
    warp.arrive_and_wait();
    return result;
}

}  // namespace

#include "../../Sources/CTorch/Accelerator/Layers.cu"

// MARK: Launching

namespace {

using Kernel = std::function<void(void *const *)>;

template <class... Parameters>
Kernel unpacking(void (*kernel)(Parameters...)) {
    return [kernel](void *const *arguments) {
        [&]<size_t... place>(std::index_sequence<place...>) {
            kernel(*static_cast<Parameters *>(arguments[place])...);
        }(std::index_sequence_for<Parameters...>());
    };
}

#define EACH_TYPE(kernel) {#kernel "_float32", unpacking(kernel##_float32)}, {#kernel "_bfloat16", unpacking(kernel##_bfloat16)}

const std::map<std::string, Kernel> kernels = {
    EACH_TYPE(normalize), EACH_TYPE(normalize_backward), EACH_TYPE(turn),  EACH_TYPE(gate),          EACH_TYPE(gate_backward),
    EACH_TYPE(drop),      EACH_TYPE(narrow),             EACH_TYPE(widen), EACH_TYPE(cross_entropy),
};

}  // namespace

bool emulate_kernel(const char *name, int64_t blocks, uint32_t columns, uint32_t rows, void *const *arguments) {
    auto found = kernels.find(name);
    if (found == kernels.end() || columns % kLanes != 0) return false;
    blockDim = {columns, rows};
    for (int64_t each = 0; each < blocks; ++each) {
        Block one(columns * rows);
        block = &one;
        std::vector<std::thread> threads;
        for (unsigned thread = 0; thread < columns * rows; ++thread)
            threads.emplace_back([=] {
                blockIdx = {static_cast<unsigned>(each), 0};
                threadIdx = {thread % columns, thread / columns};
                found->second(arguments);
            });
        for (std::thread &thread : threads) thread.join();
    }
    return true;
}
