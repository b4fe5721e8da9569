// Random state, devices, threads and memory.

#include <cstdlib>
#include <mutex>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Version.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <limits.h>
#include <torch/version.h>

#include "Internal.h"

using namespace meno;

ct_status ct_manual_seed(uint64_t seed) {
    return guarded([&] { at::manual_seed(seed); });
}

ct_status ct_random_state(ct_device device, ct_tensor **result) {
    return guarded([&] {
        auto generator = at::globalContext().defaultGenerator(device_of(device));
        std::lock_guard<std::mutex> lock(generator.mutex());
        *result = wrap(generator.get_state());
    });
}

ct_status ct_set_random_state(ct_device device, const ct_tensor *state) {
    return guarded([&] {
        auto generator = at::globalContext().defaultGenerator(device_of(device));
        std::lock_guard<std::mutex> lock(generator.mutex());
        generator.set_state(state->value);
    });
}

static void prepare_cuda() {
    // A program linked against only the CPU part still finds the CUDA part next to it at run time.
    dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
    // cuDNN's attention builds a plan for every new length, which takes as long as a thousand passes.
    at::globalContext().setSDPUseCuDNN(false);
}

int32_t ct_device_count(ct_device_type type) {
    try {
        if (type == CT_CPU) return 1;
        static std::once_flag prepared;
        if (type == CT_CUDA) std::call_once(prepared, prepare_cuda);
        auto kind = static_cast<c10::DeviceType>(type);
        if (!c10::impl::hasDeviceGuardImpl(kind)) return 0;
        return c10::impl::VirtualGuardImpl(kind).deviceCount();
    } catch (...) {
        return 0;
    }
}

ct_status ct_synchronize(ct_device device) {
    return guarded([&] {
        if (device.type == CT_CPU) return;
        c10::impl::VirtualGuardImpl(static_cast<c10::DeviceType>(device.type))
            .synchronizeDevice(static_cast<c10::DeviceIndex>(device.index < 0 ? 0 : device.index));
    });
}

void ct_set_fixed_order(bool fixed) {
    at::globalContext().setDeterministicAlgorithms(fixed, /*warn_only=*/false);
    // Otherwise libtorch would fill every new tensor first, in case it is read uninitialised, which is an eighth of a step's
    // launches.
    at::globalContext().setDeterministicFillUninitializedMemory(false);
}

ct_status ct_memory_statistics(ct_device device, ct_memory *result) {
    return guarded([&] {
        auto *allocator = at::getDeviceAllocator(static_cast<c10::DeviceType>(device.type));
        auto index = static_cast<c10::DeviceIndex>(device.index < 0 ? 0 : device.index);
        auto statistics = allocator->getDeviceStats(index);
        auto total = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
        *result = {
            statistics.allocated_bytes[total].current, statistics.reserved_bytes[total].current,
            statistics.allocated_bytes[total].peak, statistics.reserved_bytes[total].peak};
    });
}

// The free memory of a device in bytes.
static int64_t device_free_memory(c10::DeviceAllocator *allocator, c10::Device device) {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 13
    return static_cast<int64_t>(allocator->getMemoryInfo(device.index()).first);
#else
    // The allocator does not report it in this version, but CUDA's runtime, which libtorch_cuda has loaded, does for the current
    // device.
    using Ask = int (*)(size_t *, size_t *);
    auto ask = device.is_cuda() ? reinterpret_cast<Ask>(dlsym(RTLD_DEFAULT, "cudaMemGetInfo")) : nullptr;
    c10::DeviceGuard guard(device);
    size_t free = 0, total = 0;
    TORCH_CHECK(ask && ask(&free, &total) == 0, "this libtorch cannot report the free memory of a device");
    return static_cast<int64_t>(free);
#endif
}

ct_status ct_free_memory(ct_device device, int64_t *result) {
    return guarded([&] {
        auto type = static_cast<c10::DeviceType>(device.type);
        auto index = static_cast<c10::DeviceIndex>(device.index < 0 ? 0 : device.index);
        auto *allocator = at::getDeviceAllocator(type);
        auto total = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
        auto statistics = allocator->getDeviceStats(index);
        // Memory that the allocator has cached is also available to new tensors.
        auto kept = statistics.reserved_bytes[total].current - statistics.allocated_bytes[total].current;
        *result = device_free_memory(allocator, c10::Device(type, index)) + kept;
    });
}

ct_status ct_reset_peak_memory(ct_device device) {
    return guarded([&] {
        at::getDeviceAllocator(static_cast<c10::DeviceType>(device.type))
            ->resetPeakStats(static_cast<c10::DeviceIndex>(device.index < 0 ? 0 : device.index));
    });
}

ct_status ct_empty_cache(ct_device device) {
    return guarded([&] {
        if (device.type != CT_CPU) at::getDeviceAllocator(static_cast<c10::DeviceType>(device.type))->emptyCache();
    });
}

int32_t ct_thread_count(void) { return at::get_num_threads(); }
void ct_set_thread_count(int32_t count) { at::set_num_threads(count); }
const char *ct_libtorch_version(void) { return TORCH_VERSION; }
char *ct_cpu_capability(void) { return strdup(at::get_cpu_capability().c_str()); }

void ct_limit_primitive_caches(void) {
    // oneDNN and ideep, libtorch's wrapper of it, read these variables once, on first use.
    setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64", 0);
    setenv("LRU_CACHE_CAPACITY", "64", 0);
}

void ct_keep_host_memory(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that it takes
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_ARENA_MAX, 1);  // other arenas consist of small heaps that are created and freed all the time
#endif
}

void ct_release_host_memory(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
