// What tensors kernels take.
#pragma once

#include <ATen/ATen.h>

namespace meno {

// The types that kernels take.
inline bool has_kernel_type(const at::Tensor &tensor) {
    return tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16;
}

// Whether the fused kernels for the CPU take a tensor.
inline bool has_vector_kernels(const at::Tensor &tensor) {
    return tensor.is_cpu() && tensor.is_contiguous() && has_kernel_type(tensor);
}

}  // namespace meno
