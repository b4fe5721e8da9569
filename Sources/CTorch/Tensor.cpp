#include "Internal.h"

namespace {
std::atomic<int64_t> live_count{0};
}

ct_tensor::ct_tensor(at::Tensor tensor) : value(std::move(tensor)) { live_count.fetch_add(1); }
ct_tensor::~ct_tensor() { live_count.fetch_sub(1); }

namespace meno {
ct_status failure(ct_code code, const char *message) {
    char *copy = strdup(message ? message : "");
    return {code, copy};
}
}  // namespace meno

using namespace meno;

void ct_string_free(char *string) { std::free(string); }
void ct_tensor_release(ct_tensor *tensor) { delete tensor; }
ct_status ct_tensor_share(const ct_tensor *tensor, ct_tensor **result) {
    return guarded([&] { *result = wrap(tensor->value); });
}

int64_t ct_tensor_live_count(void) { return live_count.load(); }

ct_status ct_tensor_empty(
    const int64_t *shape, int64_t dimensions, int32_t dtype, ct_device device, ct_tensor **result) {
    return guarded([&] {
        auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)).device(device_of(device));
        *result = wrap(at::empty(at::IntArrayRef(shape, dimensions), options));
    });
}

ct_status ct_tensor_from_bytes(
    const void *data, int64_t bytes, const int64_t *shape, int64_t dimensions, int32_t dtype, ct_device device,
    ct_tensor **result) {
    return guarded([&] {
        auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype));
        at::Tensor host = at::empty(at::IntArrayRef(shape, dimensions), options);
        TORCH_CHECK(
            static_cast<int64_t>(host.nbytes()) == bytes, "expected ", host.nbytes(), " bytes for this shape, got ",
            bytes);
        if (bytes > 0) std::memcpy(host.data_ptr(), data, bytes);
        *result = wrap(host.to(device_of(device)));
    });
}

ct_status ct_tensor_to_bytes(const ct_tensor *tensor, void *destination, int64_t bytes) {
    return guarded([&] {
        at::Tensor host = tensor->value.detach().to(at::kCPU).contiguous();
        TORCH_CHECK(
            static_cast<int64_t>(host.nbytes()) == bytes, "the tensor has ", host.nbytes(), " bytes, not ", bytes);
        if (bytes > 0) std::memcpy(destination, host.data_ptr(), bytes);
    });
}

ct_status ct_tensor_data(const ct_tensor *tensor, void **data) {
    return guarded([&] {
        TORCH_CHECK(
            tensor->value.is_cpu() && tensor->value.is_contiguous(), "expected a contiguous tensor on the CPU");
        *data = tensor->value.data_ptr();
    });
}

int64_t ct_tensor_dimensions(const ct_tensor *tensor) { return tensor->value.dim(); }
int64_t ct_tensor_size(const ct_tensor *tensor, int64_t dimension) { return tensor->value.sizes()[dimension]; }
int64_t ct_tensor_count(const ct_tensor *tensor) { return tensor->value.numel(); }
int32_t ct_tensor_dtype(const ct_tensor *tensor) { return static_cast<int32_t>(tensor->value.scalar_type()); }

ct_device ct_tensor_device(const ct_tensor *tensor) {
    auto device = tensor->value.device();
    return {static_cast<ct_device_type>(device.type()), device.is_cpu() ? 0 : static_cast<int32_t>(device.index())};
}

ct_status ct_tensor_item(const ct_tensor *tensor, double *value) {
    return guarded([&] { *value = tensor->value.item().toDouble(); });
}
