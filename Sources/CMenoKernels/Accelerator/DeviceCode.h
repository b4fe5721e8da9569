// Kernels of Layers.cu, compiled for the GPU they run on when the first of them is needed.
#pragma once

#include "../Internal.h"

namespace meno::device {

// The kernels, each for float32 and for bfloat16.
#define MENO_DEVICE_KERNELS(each)                                                                                     \
    each(normalize) each(normalize_backward) each(turn) each(gate) each(gate_backward) each(drop) each(narrow)        \
    each(widen) each(cross_entropy)

enum class Kernel {
#define MENO_CASE(name) name,
    MENO_DEVICE_KERNELS(MENO_CASE)
#undef MENO_CASE
};

// Whether the tensor is on a device that these kernels run on: a GPU, or the CPU if they are emulated (Emulation.h).
bool serves(const at::Tensor &tensor);

// Whether a device has these kernels: an NVIDIA GPU, where libtorch comes with CUDA's runtime compiler.
bool has_kernels(c10::Device device);

// Why not; empty where it has.
std::string fault(c10::Device device);

// Blocks and the threads of each.
struct Grid {
    int64_t blocks;
    unsigned columns, rows = 1;
};

// A thread for each element.
inline Grid elements(int64_t count) { return {(count + 255) / 256, 256}; }

// A warp for each row.
inline Grid warps(int64_t rows) { return {(rows + 3) / 4, 32, 4}; }

// Runs a kernel for the type of `like`, on the stream of that tensor's device. The arguments have exactly the types of the
// kernel's parameters.
void launch(Kernel kernel, const at::Tensor &like, Grid grid, void **arguments);

template <class... Arguments>
void launch(Kernel kernel, const at::Tensor &like, Grid grid, Arguments... arguments) {
    void *pointers[] = {&arguments...};
    if (grid.blocks > 0) launch(kernel, like, grid, pointers);
}

}  // namespace meno::device
