// activation(gate) · up of a gated feed-forward block, and its derivatives, without anything in between.

#include "GatedActivation.h"

#include "../Accelerator/DeviceLayers.h"
#include "../Internal.h"
#include "../Operators.h"
#include "Formulas.h"
#include "FrozenProduct.h"
#include "Parallel.h"
#include "Vector.h"

namespace {

constexpr auto exponential = [](float x) __attribute__((always_inline)) { return vector_exp(x); };

struct SiLU {
    MENO_INLINE Activation at(float x) { return silu(x, exponential); }
};

struct GELUTanh {
    MENO_INLINE Activation at(float x) { return gelu_tanh(x, exponential); }
};

template <class Kind, class Element>
MENO_INLINE void forward(
    const typename Element::Storage *gate, const typename Element::Storage *up, int64_t n, typename Element::Storage *out) {
    for (int64_t i = 0; i < n; ++i)
        out[i] = Element::store(Kind::at(Element::load(gate[i])).value * Element::load(up[i]));
}

template <class Kind, class Element>
MENO_INLINE void backward(
    const typename Element::Storage *gradient, const typename Element::Storage *gate, const typename Element::Storage *up,
    int64_t n, typename Element::Storage *gate_gradient, typename Element::Storage *up_gradient) {
    for (int64_t i = 0; i < n; ++i) {
        float g = Element::load(gradient[i]);
        Activation activation = Kind::at(Element::load(gate[i]));
        gate_gradient[i] = Element::store(g * Element::load(up[i]) * activation.slope);
        up_gradient[i] = Element::store(g * activation.value);
    }
}

#define MENO_GATE_KERNELS(suffix, Kind, Element)                                                                      \
    MENO_VECTOR_CLONES void forward_##suffix(const void *gate, const void *up, int64_t n, void *out) {                 \
        using Storage = Element::Storage;                                                                             \
        forward<Kind, Element>(                                                                                       \
            static_cast<const Storage *>(gate), static_cast<const Storage *>(up), n, static_cast<Storage *>(out));    \
    }                                                                                                                 \
    MENO_VECTOR_CLONES void backward_##suffix(                                                                        \
        const void *gradient, const void *gate, const void *up, int64_t n, void *gate_gradient, void *up_gradient) {  \
        using Storage = Element::Storage;                                                                             \
        backward<Kind, Element>(                                                                                      \
            static_cast<const Storage *>(gradient), static_cast<const Storage *>(gate),                               \
            static_cast<const Storage *>(up), n, static_cast<Storage *>(gate_gradient),                               \
            static_cast<Storage *>(up_gradient));                                                                     \
    }
MENO_GATE_KERNELS(silu_float32, SiLU, Float32)
MENO_GATE_KERNELS(silu_bfloat16, SiLU, BFloat16)
MENO_GATE_KERNELS(gelu_float32, GELUTanh, Float32)
MENO_GATE_KERNELS(gelu_bfloat16, GELUTanh, BFloat16)

constexpr int64_t kGrain = 1 << 14;

at::Tensor gate(const at::Tensor &gate, const at::Tensor &up, meno::GateKind activation) {
    auto kernel = meno::gating(activation, gate.scalar_type());
    at::Tensor out = meno::product::empty_rows(gate.sizes(), gate.options());
    auto *first = static_cast<const char *>(gate.data_ptr());
    auto *second = static_cast<const char *>(up.data_ptr());
    auto *to = static_cast<char *>(out.data_ptr());
    int64_t size = gate.element_size();
    meno::parallel_rows(gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
        kernel(first + begin * size, second + begin * size, end - begin, to + begin * size);
    });
    return out;
}

void gate_backward(
    const at::Tensor &gradient, const at::Tensor &gate, const at::Tensor &up, meno::GateKind activation,
    at::Tensor &gate_gradient, at::Tensor &up_gradient) {
    bool wide = gate.scalar_type() == at::kFloat;
    auto kernel = activation == meno::GateKind::silu ? (wide ? backward_silu_float32 : backward_silu_bfloat16)
                                        : (wide ? backward_gelu_float32 : backward_gelu_bfloat16);
    gate_gradient = meno::product::empty_rows(gate.sizes(), gate.options());
    up_gradient = meno::product::empty_rows(gate.sizes(), gate.options());
    auto *slope = static_cast<const char *>(gradient.data_ptr());
    auto *first = static_cast<const char *>(gate.data_ptr());
    auto *second = static_cast<const char *>(up.data_ptr());
    auto *to_gate = static_cast<char *>(gate_gradient.data_ptr());
    auto *to_up = static_cast<char *>(up_gradient.data_ptr());
    int64_t size = gate.element_size();
    meno::parallel_rows(gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
        int64_t place = begin * size;
        kernel(slope + place, first + place, second + place, end - begin, to_gate + place, to_up + place);
    });
}

void check(const at::Tensor &gate, const at::Tensor &up) {
    TORCH_CHECK(
        meno::has_fused_kernels(gate) && meno::has_fused_kernels(up) && gate.sizes() == up.sizes() &&
            gate.scalar_type() == up.scalar_type() && gate.device() == up.device(),
        "expected two contiguous tensors of one shape in float32 or bfloat16 on one device, got ", gate.sizes(), " and ",
        up.sizes());
}

}  // namespace

meno::Gating meno::gating(meno::GateKind activation, c10::ScalarType type) {
    bool wide = type == at::kFloat;
    return activation == meno::GateKind::silu ? (wide ? forward_silu_float32 : forward_silu_bfloat16)
                                 : (wide ? forward_gelu_float32 : forward_gelu_bfloat16);
}

meno::GateKind meno::gate_kind(std::string_view activation) {
    TORCH_CHECK(activation == "silu" || activation == "gelu_tanh", "no activation ", activation);
    return activation == "silu" ? GateKind::silu : GateKind::gelu_tanh;
}

at::Tensor meno::operators::gate(const at::Tensor &gate, const at::Tensor &up, std::string_view activation) {
    check(gate, up);
    return (device::serves(gate) ? device::gate : ::gate)(gate, up, gate_kind(activation));
}

std::tuple<at::Tensor, at::Tensor> meno::operators::gate_backward(
    const at::Tensor &gradient, const at::Tensor &gate, const at::Tensor &up, std::string_view activation) {
    check(gate, up);
    check(gradient, gate);
    at::Tensor gate_gradient, up_gradient;
    (device::serves(gate) ? device::gate_backward : ::gate_backward)(
        gradient, gate, up, gate_kind(activation), gate_gradient, up_gradient);
    return {gate_gradient, up_gradient};
}
