// The GPU's kernels (Sources/CMenoKernels/Accelerator/Layers.cu) on the CPU, for machines without a GPU.
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// Whether from now on the calling thread computes with tensors on the CPU what it would with those on a GPU.
void emulate_kernels(bool emulates);

#ifdef __cplusplus
}
#endif
