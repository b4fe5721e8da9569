#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "Internal.h"

using namespace meno;
using torch::autograd::variable_list;

namespace {

variable_list variables(ct_tensor *const *tensors, int64_t count) {
    variable_list list;
    list.reserve(count);
    for (int64_t i = 0; i < count; ++i) list.push_back(tensors[i] ? tensors[i]->value : at::Tensor());
    return list;
}

// A node whose backward is a C callback.
struct CallbackNode final : torch::autograd::Node {
    ct_backward_callback backward;
    ct_release_callback release;
    void *context;
    size_t input_count;

    CallbackNode(ct_backward_callback backward, ct_release_callback release, void *context, size_t input_count)
        : backward(backward), release(release), context(context), input_count(input_count) {}
    ~CallbackNode() override { release_variables(); }

    void release_variables() override {
        if (context) release(context);
        context = nullptr;
    }

    std::string name() const override { return "MenoCallbackBackward"; }

    variable_list apply(variable_list &&gradients) override {
        TORCH_CHECK(context, "backward was called twice on a custom node, whose saved values are already released");
        std::vector<ct_tensor *> outputs, inputs(input_count, nullptr);
        outputs.reserve(gradients.size());
        for (auto &gradient : gradients) outputs.push_back(wrap(std::move(gradient)));
        bool succeeded = backward(
            context, outputs.data(), static_cast<int64_t>(outputs.size()), inputs.data(),
            static_cast<int64_t>(input_count));
        variable_list results;
        results.reserve(input_count);
        for (ct_tensor *input : inputs) {
            results.push_back(input ? std::move(input->value) : at::Tensor());
            delete input;
        }
        if (!succeeded) throw CallbackFailure();
        return results;
    }
};

// Newer versions of libtorch hold nodes by intrusive pointers, older ones by shared pointers.
using NodePointer = decltype(torch::autograd::Edge::function);

template <class Pointer, class... Arguments>
Pointer make_node(Arguments... arguments) {
    if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>)
        return std::make_shared<CallbackNode>(arguments...);
    else
        return c10::make_intrusive<CallbackNode>(arguments...);
}

}  // namespace

bool ct_grad_enabled(void) { return c10::GradMode::is_enabled(); }
void ct_set_grad_enabled(bool enabled) { c10::GradMode::set_enabled(enabled); }
bool ct_tensor_requires_grad(const ct_tensor *tensor) { return tensor->value.requires_grad(); }

ct_status ct_tensor_set_requires_grad(ct_tensor *tensor, bool requires_grad) {
    return guarded([&] { tensor->value.set_requires_grad(requires_grad); });
}

ct_status ct_tensor_grad(const ct_tensor *tensor, ct_tensor **result) {
    return guarded([&] { *result = wrap(tensor->value.grad()); });
}

ct_status ct_tensor_set_grad(ct_tensor *tensor, const ct_tensor *gradient) {
    return guarded([&] { tensor->value.mutable_grad() = gradient ? gradient->value : at::Tensor(); });
}

ct_status ct_backward(ct_tensor *const *outputs, ct_tensor *const *gradients, int64_t count) {
    return guarded([&] {
        torch::autograd::backward(variables(outputs, count), gradients ? variables(gradients, count) : variable_list());
    });
}

ct_status ct_gradients(
    ct_tensor *const *outputs, ct_tensor *const *gradients, int64_t output_count, ct_tensor *const *inputs,
    int64_t input_count, ct_tensor **results) {
    return guarded([&] {
        auto computed = torch::autograd::grad(
            variables(outputs, output_count), variables(inputs, input_count),
            gradients ? variables(gradients, output_count) : variable_list(), /*retain_graph=*/std::nullopt,
            /*create_graph=*/false, /*allow_unused=*/true);
        for (size_t i = 0; i < computed.size(); ++i) results[i] = wrap(std::move(computed[i]));
    });
}

ct_status ct_custom_node(
    ct_tensor *const *inputs, int64_t input_count, ct_tensor *const *outputs, int64_t output_count,
    ct_backward_callback backward, ct_release_callback release, void *context, ct_tensor **results) {
    return guarded([&] {
        auto node = make_node<NodePointer>(backward, release, context, static_cast<size_t>(input_count));
        variable_list sources = variables(inputs, input_count);
        node->set_next_edges(torch::autograd::collect_next_edges(sources));
        for (int64_t i = 0; i < output_count; ++i) {
            at::Tensor output = outputs[i]->value.detach();
            torch::autograd::create_gradient_edge(output, node);
            results[i] = wrap(std::move(output));
        }
    });
}
