// The GPU's kernels (Sources/CTorch/Accelerator/Layers.cu) on the CPU, for machines without a GPU.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Runs a kernel block after block, each with columns × rows threads, columns a multiple of 32. `arguments` points to a value
// of the right type for each of the kernel's parameters. False where there is no kernel of this name.
bool emulate_kernel(const char *name, int64_t blocks, uint32_t columns, uint32_t rows, void *const *arguments);

#ifdef __cplusplus
}
#endif
