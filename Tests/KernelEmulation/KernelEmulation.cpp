#include "KernelEmulation.h"

#include "../../Sources/CMenoKernels/Accelerator/Emulation.h"

#include <ucontext.h>

#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
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
Position threadIdx, blockIdx, blockDim;

constexpr unsigned kLanes = 32;
constexpr size_t kStack = 1 << 16;

// The threads of a block take turns: each runs until it waits for others.
struct Thread {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[kStack]};
    bool ended;
};
ucontext_t scheduler;
Thread *current;

struct Barrier {
    unsigned threads, arrived = 0, rounds = 0;

    void wait() {
        unsigned round = rounds;
        if (++arrived == threads) {
            arrived = 0;
            ++rounds;
        }
        while (round == rounds) swapcontext(&current->context, &scheduler);
    }
};

struct Block {
    Barrier all;
    std::vector<Barrier> warps;
    std::vector<uint64_t> slots;

    explicit Block(unsigned threads) : all{threads}, warps(threads / kLanes, Barrier{kLanes}), slots(threads) {}
};
Block *block;

float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }

void __syncthreads() { block->all.wait(); }

template <class Value>
Value __shfl_xor_sync(unsigned, Value value, int mask) {
    static_assert(sizeof(Value) <= sizeof(uint64_t));
    unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
    Barrier &warp = block->warps[thread / kLanes];
    __builtin_memcpy(&block->slots[thread], &value, sizeof(Value));
    warp.wait();
    Value result;
    __builtin_memcpy(&result, &block->slots[thread ^ static_cast<unsigned>(mask)], sizeof(Value));
    warp.wait();
    return result;
}

}  // namespace

#include "../../Sources/CMenoKernels/Accelerator/Layers.cu"

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

const Kernel *running;
void *const *given;

void run_thread() {
    (*running)(given);
    current->ended = true;
}

void prepare(Thread &thread) {
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = kStack;
    thread.context.uc_link = &scheduler;
    thread.ended = false;
    makecontext(&thread.context, run_thread, 0);
}

// Runs a kernel block after block, each with columns × rows threads, columns a multiple of 32. `arguments` points to a value
// of the right type for each of the kernel's parameters.
bool emulate_kernel(const char *name, int64_t blocks, uint32_t columns, uint32_t rows, void *const *arguments) {
    auto found = kernels.find(name);
    if (found == kernels.end() || columns % kLanes != 0) return false;
    running = &found->second;
    given = arguments;
    blockDim = {columns, rows};
    std::vector<Thread> threads(columns * rows);
    for (int64_t each = 0; each < blocks; ++each) {
        Block one(columns * rows);
        block = &one;
        blockIdx = {static_cast<unsigned>(each), 0};
        for (Thread &thread : threads) prepare(thread);
        for (bool goes_on = true; goes_on;) {
            goes_on = false;
            for (unsigned i = 0; i < threads.size(); ++i) {
                if (threads[i].ended) continue;
                current = &threads[i];
                threadIdx = {i % columns, i / columns};
                swapcontext(&scheduler, &current->context);
                goes_on = true;
            }
        }
    }
    return true;
}

}  // namespace

void emulate_kernels(bool emulates) { meno::device::emulate(emulates ? emulate_kernel : nullptr); }
