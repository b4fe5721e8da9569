// Registers this project's operators with libtorch's dispatcher.

#include "Operators.h"

#include <torch/library.h>

#include "Accelerator/DeviceLayers.h"
#include "Kernels/FrozenProduct.h"
#include "Kernels/Product.h"
#include "Kernels/ProductKind.h"
#include "Kernels/TileProduct.h"
#include "Kernels/VocabularyLoss.h"

using namespace meno;

namespace {

// Those for the CPU alone, and those that compute on a GPU too, whose functions choose the kernels by their inputs.
#define MENO_HOST_OPERATORS(each)                                                                                     \
    each(frozen_product) each(unpack_rows) each(gated_product) each(uniform) each(attention) each(attention_backward) \
    each(cached_attention) each(vocabulary_loss) each(vocabulary_centroids) each(quantize_four_bits_)                 \
    each(quantize_eight_bits_) each(quantize_blocks_)
#define MENO_DEVICE_OPERATORS(each)                                                                                   \
    each(adapted_product) each(adapted_product_backward) each(dropout) each(rms_norm) each(rms_norm_backward)         \
    each(rotate) each(gate) each(gate_backward) each(cross_entropy_)

}  // namespace

TORCH_LIBRARY(meno, library) {
    library.def("takes(str name, Tensor[] inputs, str format) -> bool", operators::takes);
    library.def("processor_has(str feature) -> bool", operators::processor_has);
    library.def("supports_products(str kind) -> bool", operators::supports_products);
    library.def("uses_products(str kind) -> bool", operators::uses_products);
    library.def("use_products(str kind) -> ()", operators::use_products);
    library.def("require_kernels(Device device) -> ()", operators::require_kernels);

    library.def("frozen_product(Tensor x, Tensor[] weight, str format, bool transposed) -> Tensor");
    library.def("unpack_rows(Tensor[] weight, str format, Tensor? rows, ScalarType type) -> Tensor");
    library.def(
        "quantize_four_bits_(Tensor values, Tensor bounds, Tensor numbers, Tensor(a!) codes, Tensor(b!) scales) -> ()");
    library.def("quantize_eight_bits_(Tensor values, Tensor(a!) codes, Tensor(b!) scales) -> ()");
    library.def("quantize_blocks_(Tensor values, str format, Tensor(a!) blocks) -> ()");
    library.def("gated_product(Tensor x, Tensor gate, Tensor up, str activation) -> Tensor");
    library.def(
        "adapted_product(Tensor x, Tensor[] weight, str format, Tensor down, Tensor up, float scaling, float dropout, "
        "int key, Tensor? row_numbers) -> (Tensor, Tensor)");
    library.def(
        "adapted_product_backward(Tensor gradient, Tensor x, Tensor lowered, Tensor[] weight, str format, Tensor down, "
        "Tensor up, float scaling, float dropout, int key, Tensor? row_numbers, bool input) -> (Tensor, Tensor, Tensor)");
    library.def("dropout(Tensor x, float probability, int key, Tensor row_numbers) -> Tensor");
    library.def("uniform(Tensor row_numbers, int key, int columns) -> Tensor");

    library.def("rms_norm(Tensor x, Tensor weight, float offset, float epsilon) -> (Tensor, Tensor)");
    library.def("rms_norm_backward(Tensor gradient, Tensor x, Tensor weight, Tensor scales, float offset) -> Tensor");
    library.def("rotate(Tensor x, Tensor cosines, Tensor sines, bool inverse) -> Tensor");
    library.def("gate(Tensor gate, Tensor up, str activation) -> Tensor");
    library.def("gate_backward(Tensor gradient, Tensor gate, Tensor up, str activation) -> (Tensor, Tensor)");

    library.def(
        "attention(Tensor query, Tensor key, Tensor value, int[] boundaries, int shared, int window, float scale, "
        "float softcap) -> (Tensor, Tensor)");
    library.def(
        "attention_backward(Tensor gradient, Tensor query, Tensor key, Tensor value, Tensor output, Tensor log_sums, "
        "int[] boundaries, int shared, int window, float scale, float softcap) -> (Tensor, Tensor, Tensor)");

    library.def(
        "cached_attention(Tensor query, Tensor key, Tensor value, Tensor(a!) keys, Tensor(b!) values, int before, int window, "
        "float scale, float softcap) -> Tensor");

    library.def(
        "vocabulary_loss(Tensor states, Tensor[] table, str format, Tensor? centroids, Tensor targets, float softcap, "
        "float threshold, bool gradient) -> (Tensor, Tensor, Tensor)");
    library.def("vocabulary_centroids(Tensor[] table, str format) -> Tensor");
    library.def(
        "cross_entropy_(Tensor(a!) logits, Tensor targets, float softcap, float smoothing, float gradient_scale, "
        "Tensor(b!) losses, Tensor(c!) correct) -> ()");
}

#define MENO_REGISTER(name) library.impl(#name, operators::name);
TORCH_LIBRARY_IMPL(meno, CPU, library) { MENO_HOST_OPERATORS(MENO_REGISTER) MENO_DEVICE_OPERATORS(MENO_REGISTER) }
TORCH_LIBRARY_IMPL(meno, CUDA, library) { MENO_DEVICE_OPERATORS(MENO_REGISTER) }
#undef MENO_REGISTER

// Otherwise the dispatcher makes their results nodes that warn of a missing derivative.
#define MENO_PASS_BY(name) library.impl(#name, torch::CppFunction::makeFallthrough());
TORCH_LIBRARY_IMPL(meno, Autograd, library) { MENO_HOST_OPERATORS(MENO_PASS_BY) MENO_DEVICE_OPERATORS(MENO_PASS_BY) }
#undef MENO_PASS_BY

bool operators::takes(std::string_view name, at::TensorList inputs, std::string_view format) {
    auto input = [&](size_t i) -> const at::Tensor & {
        TORCH_CHECK(i < inputs.size(), name, " has more than ", inputs.size(), " inputs");
        return inputs[i];
    };
    auto weight = [&] {
        input(1);
        return product::Weight(inputs.slice(1), format);
    };
    if (name == "fused_layers") return (input(0).is_cpu() && has_kernel_type(input(0))) || device::takes(input(0));
    if (name == "frozen_product") return product::takes(input(0), weight());
    if (name == "adapted_product") return takes_adapted(input(0), weight());
    if (name == "gated_product") return product::takes_gated(input(0), input(1));
    if (name == "attention")
        return product::has_panels() && input(0).is_cpu() && input(0).dim() == 3 && has_kernel_type(input(0));
    if (name == "vocabulary_loss") return vocabulary::takes(input(0), weight(), false);
    if (name == "vocabulary_loss_exact") return vocabulary::takes(input(0), weight(), true);
    TORCH_CHECK(false, "no operator ", name);
}

bool operators::processor_has(std::string_view feature) {
    if (feature == "products") return product::available();
    if (feature == "tile_products") return tiles::available();
    if (feature == "widened_weights") return product::widens();
    TORCH_CHECK(false, "no feature ", feature);
}

namespace {

product::Kind kind_of(std::string_view name) {
    auto kind = product::kind_named(name);
    TORCH_CHECK(kind, "no products of the kind ", name);
    return *kind;
}

}  // namespace

bool operators::supports_products(std::string_view kind) { return product::supports(kind_of(kind)); }
bool operators::uses_products(std::string_view kind) { return product::kind() == kind_of(kind); }
void operators::use_products(std::string_view kind) { product::use(kind_of(kind)); }

void operators::require_kernels(at::Device device) {
    if (device.is_cpu()) return;
    std::string fault = device::fault(device);
    TORCH_CHECK(fault.empty(), fault);
}
