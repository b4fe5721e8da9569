#include "DeviceLayers.h"

namespace meno::device {

namespace {

void *data(const at::Tensor &tensor) { return tensor.data_ptr(); }

const float *values(const at::Tensor &tensor) { return static_cast<const float *>(tensor.data_ptr()); }

// Of the last dimension, of `size` elements.
int64_t rows(const at::Tensor &tensor, int64_t size) { return size > 0 ? tensor.numel() / size : 0; }

}  // namespace

bool takes(const at::Tensor &tensor) {
    return serves(tensor) && has_kernel_type(tensor) && has_kernels(tensor.device());
}

at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight, float offset, float epsilon, at::Tensor &scales) {
    int64_t n = weight.size(0), count = rows(x, n);
    at::Tensor y = at::empty_like(x);
    scales = at::empty({count}, weight.options());
    launch(
        Kernel::normalize, x, warps(count), data(x), values(weight), count, n, offset, epsilon, data(y), data(scales));
    return y;
}

at::Tensor rms_norm_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &weight, const at::Tensor &scales, float offset) {
    int64_t n = weight.size(0), count = rows(x, n);
    at::Tensor result = at::empty_like(x);
    launch(
        Kernel::normalize_backward, x, warps(count), data(gradient), data(x), values(weight), values(scales), count, n, offset,
        data(result));
    return result;
}

at::Tensor rotate(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines, bool inverse) {
    at::Tensor y = at::empty_like(x);
    launch(
        Kernel::turn, x, elements(x.numel() / 2), data(x), values(cosines), values(sines), x.size(0), x.size(1), x.size(2),
        inverse ? -1.0f : 1.0f, data(y));
    return y;
}

at::Tensor gate(const at::Tensor &gate, const at::Tensor &up, GateKind activation) {
    at::Tensor out = at::empty_like(gate);
    launch(
        Kernel::gate, gate, elements(gate.numel()), data(gate), data(up), gate.numel(), static_cast<int>(activation), data(out));
    return out;
}

void gate_backward(
    const at::Tensor &gradient, const at::Tensor &gate, const at::Tensor &up, GateKind activation,
    at::Tensor &gate_gradient, at::Tensor &up_gradient) {
    gate_gradient = at::empty_like(gate);
    up_gradient = at::empty_like(up);
    launch(
        Kernel::gate_backward, gate, elements(gate.numel()), data(gradient), data(gate), data(up), gate.numel(),
        static_cast<int>(activation), data(gate_gradient), data(up_gradient));
}

void cross_entropy(
    const at::Tensor &logits, const at::Tensor &targets, float softcap, float smoothing, bool differentiates,
    const at::Tensor &losses, const at::Tensor &correct) {
    launch(
        Kernel::cross_entropy, logits, Grid{logits.size(0), 1024}, data(logits), data(targets), logits.size(1), softcap,
        smoothing, static_cast<int>(differentiates), data(losses), data(correct));
}

}  // namespace meno::device
