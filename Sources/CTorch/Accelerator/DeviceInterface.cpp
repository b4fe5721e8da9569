// What of the GPU's kernels the C interface names apart; the others are reached through the functions of their layers.

#include "DeviceLayers.h"

using namespace meno;

bool ct_has_fused_layers(const ct_tensor *input) {
    const at::Tensor &x = input->value;
    return (x.is_cpu() && has_kernel_type(x)) || device::takes(x);
}

char *ct_kernel_fault(ct_device device) {
    std::string fault;
    ct_status status = guarded([&] { fault = device.type == CT_CPU ? "" : device::fault(device_of(device)); });
    if (status.code != CT_OK) return status.message;
    return fault.empty() ? nullptr : strdup(fault.c_str());
}

ct_status ct_cross_entropy(
    ct_tensor *logits, const ct_tensor *targets, float softcap, float smoothing, bool differentiates, ct_tensor *losses,
    ct_tensor *correct) {
    return guarded([&] {
        const at::Tensor &x = logits->value, &t = targets->value, &l = losses->value, &c = correct->value;
        auto is_column = [&](const at::Tensor &each, c10::ScalarType type) {
            return each.device() == x.device() && each.is_contiguous() && each.scalar_type() == type && each.dim() == 1 &&
                   each.size(0) == x.size(0);
        };
        TORCH_CHECK(
            device::takes(x) && x.is_contiguous() && x.dim() == 2 && is_column(t, at::kLong) && is_column(l, at::kFloat) &&
                is_column(c, at::kByte),
            "expected contiguous logits [rows, vocabulary] on a GPU, with a target, a loss and a byte for each row beside them, "
            "got ", x.sizes(), ", ", t.sizes(), ", ", l.sizes(), " and ", c.sizes());
        device::cross_entropy(x, t, softcap, smoothing, differentiates, l, c);
    });
}
