// A frozen linear layer with a low-rank adapter on a GPU. All products are the device's library's, in the activations' type.
// Where elements are dropped, one copy of the input is written forward, and one of its gradient backward beside another.

#include "DeviceLayers.h"

namespace meno::device {

namespace {

// A and s · B in the activations' type.
struct Narrow {
    at::Tensor down, up;

    Narrow(const Adapter &adapter, const at::Tensor &like) {
        const at::Tensor &a = adapter.down, &b = adapter.up;
        down = at::empty(a.sizes(), like.options());
        up = at::empty(b.sizes(), like.options());
        launch(
            Kernel::narrow, like, elements(a.numel() + b.numel()), a.data_ptr(), a.numel(), down.data_ptr(), b.data_ptr(),
            b.numel(), adapter.scaling, up.data_ptr());
    }
};

// to (+)= D(from).
void drop(const at::Tensor &from, const Dropout &dropout, bool adds, const at::Tensor &to) {
    launch(
        Kernel::drop, from, elements(from.numel()), from.data_ptr(), from.numel(), from.size(1), dropout.key, dropout.numbers,
        dropout.limit(), dropout.scale(), static_cast<int>(adds), to.data_ptr());
}

}  // namespace

at::Tensor dropped(const at::Tensor &x, const Dropout &dropout) {
    if (!dropout.drops()) return x;
    at::Tensor result = at::empty_like(x);
    drop(x, dropout, false, result);
    return result;
}

at::Tensor adapted(const at::Tensor &x, const at::Tensor &weight, const Adapter &adapter, at::Tensor &lowered) {
    Narrow narrow(adapter, x);
    lowered = at::mm(dropped(x, adapter.dropout), narrow.down.t());
    return at::mm(x, weight.t()).addmm_(lowered, narrow.up.t());
}

AdaptedGradients adapted_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &lowered, const at::Tensor &weight,
    const Adapter &adapter, bool input) {
    Narrow narrow(adapter, x);
    const Dropout &dropout = adapter.dropout;
    AdaptedGradients result;
    at::Tensor low = at::mm(gradient, narrow.up);
    if (input) {
        result.input = at::mm(gradient, weight);
        if (dropout.drops())
            drop(at::mm(low, narrow.down), dropout, true, result.input);
        else
            result.input.addmm_(low, narrow.down);
    }
    at::Tensor down = at::mm(low.t(), dropped(x, dropout)), up = at::mm(gradient.t(), lowered);
    result.down = at::empty_like(adapter.down);
    result.up = at::empty_like(adapter.up);
    launch(
        Kernel::widen, x, elements(down.numel() + up.numel()), down.data_ptr(), down.numel(), result.down.data_ptr(),
        up.data_ptr(), up.numel(), adapter.scaling, result.up.data_ptr());
    return result;
}

}  // namespace meno::device
