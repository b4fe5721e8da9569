#pragma once

#include <torch/torch.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "include/CTorch.h"

struct ct_tensor {
    at::Tensor value;
    explicit ct_tensor(at::Tensor tensor);
    ~ct_tensor();
    ct_tensor(const ct_tensor &) = delete;
};

struct ct_operator {
    c10::OperatorHandle handle;
};

namespace meno {

// Thrown through libtorch's engine when a backward callback fails.
struct CallbackFailure : std::runtime_error {
    CallbackFailure() : std::runtime_error("a backward callback failed") {}
};

ct_status failure(ct_code code, const char *message);

inline c10::Device device_of(ct_device device) {
    return c10::Device(
        static_cast<c10::DeviceType>(device.type),
        device.type == CT_CPU ? -1 : static_cast<c10::DeviceIndex>(device.index));
}

// A handle for a tensor; null for an undefined one.
inline ct_tensor *wrap(at::Tensor tensor) { return tensor.defined() ? new ct_tensor(std::move(tensor)) : nullptr; }

// Runs `body` and turns every exception into a status.
template <class Body>
ct_status guarded(Body &&body) noexcept {
    try {
        body();
        return {CT_OK, nullptr};
    } catch (const c10::OutOfMemoryError &error) {
        return failure(CT_OUT_OF_MEMORY, error.what_without_backtrace());
    } catch (const c10::Error &error) {
        const char *message = error.what_without_backtrace();
        // The host's allocator reports that it is out of memory as a plain error.
        bool memory = std::strstr(message, "not enough memory") || std::strstr(message, "allocate memory") ||
                       std::strstr(message, "out of memory");
        return failure(memory ? CT_OUT_OF_MEMORY : CT_ERROR, message);
    } catch (const std::bad_alloc &error) {
        return failure(CT_OUT_OF_MEMORY, "the host is out of memory");
    } catch (const CallbackFailure &error) {
        return failure(CT_CALLBACK_FAILED, error.what());
    } catch (const std::exception &error) {
        return failure(CT_ERROR, error.what());
    } catch (...) {
        return failure(CT_ERROR, "an exception of unknown type");
    }
}

}  // namespace meno
