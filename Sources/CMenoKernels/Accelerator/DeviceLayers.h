// Entry points of the kernels in Layers.cu, for tensors on a GPU. They do not take part in autograd.
#pragma once

#include "../Kernels/AdaptedProduct.h"
#include "../Kernels/GatedActivation.h"
#include "DeviceCode.h"

namespace meno::device {

// Whether the kernels take a tensor: one that they serve, in float32 or bfloat16, on a device that has them.
bool takes(const at::Tensor &tensor);

// The following are those of Operators.h, and take contiguous tensors.

at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight, float offset, float epsilon, at::Tensor &scales);
at::Tensor rms_norm_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &weight, const at::Tensor &scales, float offset);

at::Tensor rotate(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines, bool inverse);

at::Tensor gate(const at::Tensor &gate, const at::Tensor &up, GateKind activation);
void gate_backward(
    const at::Tensor &gradient, const at::Tensor &gate, const at::Tensor &up, GateKind activation,
    at::Tensor &gate_gradient, at::Tensor &up_gradient);

// Of rows of logits, as of a tile of a head.
void cross_entropy(
    const at::Tensor &logits, const at::Tensor &targets, float softcap, float smoothing, bool differentiates,
    const at::Tensor &losses, const at::Tensor &correct);

// D of a matrix; itself where nothing is dropped.
at::Tensor dropped(const at::Tensor &x, const Dropout &dropout);

// x [m, columns] · Wᵀ + lowered · Bᵀ, lowered = D(x) · Aᵀ in the activations' type.
at::Tensor adapted(const at::Tensor &x, const at::Tensor &weight, const Adapter &adapter, at::Tensor &lowered);
AdaptedGradients adapted_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &lowered, const at::Tensor &weight,
    const Adapter &adapter, bool input);

}  // namespace meno::device

namespace meno {

// Whether the fused kernels take a tensor, on the CPU or on a GPU.
inline bool has_fused_kernels(const at::Tensor &tensor) {
    return has_vector_kernels(tensor) || (tensor.is_contiguous() && device::takes(tensor));
}

}  // namespace meno
