// A GPU's kernels on the CPU, for tests: no public header has this.
#pragma once

#include <cstdint>

namespace meno::device {

// Runs a kernel over blocks of columns × rows threads; returns false if there is no kernel of this name.
using Emulation = bool (*)(const char *name, int64_t blocks, uint32_t columns, uint32_t rows, void *const *arguments);

// From now on the calling thread computes with tensors on the CPU what it would with those on a GPU; null: no longer.
void emulate(Emulation emulation);

}  // namespace meno::device
