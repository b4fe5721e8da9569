// The C interface over libtorch: opaque handles in, status out.
//
// Every function that can fail returns a ct_status. On failure its code is not CT_OK, its message is
// libtorch's own (to be freed with ct_string_free), and no output was written. No C++ exception ever
// crosses this boundary.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Status

typedef enum ct_code {
    CT_OK = 0,
    CT_ERROR = 1,             // anything that libtorch rejects: shapes, dtypes, arguments
    CT_OUT_OF_MEMORY = 2,     // the device or the host is out of memory
    CT_UNKNOWN_OPERATOR = 3,  // the dispatcher has no operator of this name
    CT_CALLBACK_FAILED = 4,   // a backward callback reported failure (its own error is kept by the caller)
} ct_code;

typedef struct ct_status {
    ct_code code;
    char *message;  // null when code is CT_OK
} ct_status;

void ct_string_free(char *string);

// MARK: Tensors

typedef struct ct_tensor ct_tensor;

// Values equal c10::ScalarType's.
typedef enum ct_dtype {
    CT_UINT8 = 0,
    CT_INT32 = 3,
    CT_INT64 = 4,
    CT_FLOAT16 = 5,
    CT_FLOAT32 = 6,
    CT_FLOAT64 = 7,
    CT_BOOL = 11,
    CT_BFLOAT16 = 15,
} ct_dtype;

typedef enum ct_device_type { CT_CPU = 0, CT_CUDA = 1, CT_MPS = 13 } ct_device_type;

typedef struct ct_device {
    ct_device_type type;
    int32_t index;  // -1: the current one
} ct_device;

void ct_tensor_release(ct_tensor *tensor);
// A second handle to the same tensor.
ct_status ct_tensor_share(const ct_tensor *tensor, ct_tensor **result);
// The number of live handles in the process, for leak tests.
int64_t ct_tensor_live_count(void);

ct_status ct_tensor_empty(
    const int64_t *shape, int64_t dimensions, int32_t dtype, ct_device device, ct_tensor **result);
// Copies `bytes` bytes of row-major elements.
ct_status ct_tensor_from_bytes(
    const void *data, int64_t bytes, const int64_t *shape, int64_t dimensions, int32_t dtype, ct_device device,
    ct_tensor **result);
// Copies the elements, row-major, to host memory of exactly `bytes` bytes.
ct_status ct_tensor_to_bytes(const ct_tensor *tensor, void *destination, int64_t bytes);
// The address of a contiguous CPU tensor's first element.
ct_status ct_tensor_data(const ct_tensor *tensor, void **data);

int64_t ct_tensor_dimensions(const ct_tensor *tensor);
int64_t ct_tensor_size(const ct_tensor *tensor, int64_t dimension);
int64_t ct_tensor_count(const ct_tensor *tensor);
int32_t ct_tensor_dtype(const ct_tensor *tensor);
ct_device ct_tensor_device(const ct_tensor *tensor);
// The single element of a one-element tensor. On an accelerator, this waits for it.
ct_status ct_tensor_item(const ct_tensor *tensor, double *value);

// MARK: Operators, by the dispatcher

typedef struct ct_operator ct_operator;  // exists for the lifetime of the process

typedef enum ct_value_tag {
    CT_VALUE_NONE = 0,
    CT_VALUE_DEFAULT,  // the schema's default
    CT_VALUE_TENSOR,
    CT_VALUE_INT,
    CT_VALUE_DOUBLE,
    CT_VALUE_BOOL,
    CT_VALUE_INT_LIST,
    CT_VALUE_TENSOR_LIST,
    CT_VALUE_DEVICE,
    CT_VALUE_STRING,
} ct_value_tag;

typedef struct ct_list {
    const void *items;  // int64_t or ct_tensor *
    int64_t count;
} ct_list;

typedef struct ct_value {
    ct_value_tag tag;
    union {
        const ct_tensor *tensor;
        int64_t integer;
        double real;
        bool boolean;
        ct_device device;
        const char *string;
        ct_list list;
    } as;
} ct_value;

// `name` as in "aten::add", `overload` as in "Tensor" ("" where the operator has one form only).
ct_status ct_operator_find(const char *name, const char *overload, ct_operator **result);
// Calls an operator with positional arguments; omitted ones get the schema's defaults. Results are the returned
// tensors in order, lists flattened, undefined ones null; `count` may not exceed `capacity`.
ct_status ct_operator_call(
    const ct_operator *op, const ct_value *arguments, int64_t argument_count, ct_tensor **results, int64_t capacity,
    int64_t *count);
// The same for an operator that returns one boolean.
ct_status ct_operator_ask(const ct_operator *op, const ct_value *arguments, int64_t argument_count, bool *result);

// MARK: Autograd

bool ct_grad_enabled(void);
void ct_set_grad_enabled(bool enabled);  // of the calling thread
bool ct_tensor_requires_grad(const ct_tensor *tensor);
ct_status ct_tensor_set_requires_grad(ct_tensor *tensor, bool requires_grad);
// The accumulated gradient, or null.
ct_status ct_tensor_grad(const ct_tensor *tensor, ct_tensor **result);
ct_status ct_tensor_set_grad(ct_tensor *tensor, const ct_tensor *gradient_or_null);
// Accumulates into the leaves. A null gradient stands for 1 (scalar outputs only).
ct_status ct_backward(ct_tensor *const *outputs, ct_tensor *const *gradients, int64_t count);
// d(outputs · gradients)/d(inputs), without changing any leaf; null if no output depends on an input.
ct_status ct_gradients(
    ct_tensor *const *outputs, ct_tensor *const *gradients, int64_t output_count, ct_tensor *const *inputs,
    int64_t input_count, ct_tensor **results);

// Receives the gradients of the outputs (null where undefined; owned by the callee) and writes those of the
// inputs (null: none; ownership passes to the caller). Returns false on failure.
typedef bool (*ct_backward_callback)(
    void *context, ct_tensor *const *output_gradients, int64_t output_count, ct_tensor **input_gradients,
    int64_t input_count);
typedef void (*ct_release_callback)(void *context);

// Makes `outputs` (computed without gradient) results of a custom autograd node over `inputs`.
// `release` is called once, when the node dies or has run. The results replace `outputs` as handles.
ct_status ct_custom_node(
    ct_tensor *const *inputs, int64_t input_count, ct_tensor *const *outputs, int64_t output_count,
    ct_backward_callback backward, ct_release_callback release, void *context, ct_tensor **results);

// MARK: Random numbers

ct_status ct_manual_seed(uint64_t seed);
// The generator's complete state as a byte tensor on the host.
ct_status ct_random_state(ct_device device, ct_tensor **result);
ct_status ct_set_random_state(ct_device device, const ct_tensor *state);

// MARK: Devices, threads and memory

typedef struct ct_memory {
    int64_t allocated, reserved, peak_allocated, peak_reserved;  // bytes, of this process
} ct_memory;

// The number of devices; 0 if there are none. Loads the CUDA part of libtorch if it is installed.
int32_t ct_device_count(ct_device_type type);
ct_status ct_synchronize(ct_device device);
// Turns libtorch's deterministic algorithms on or off for the process. Operators that have none then fail.
void ct_set_fixed_order(bool fixed);
ct_status ct_memory_statistics(ct_device device, ct_memory *result);
// The memory of an accelerator that new tensors can still use, in bytes.
ct_status ct_free_memory(ct_device device, int64_t *result);
ct_status ct_reset_peak_memory(ct_device device);
ct_status ct_empty_cache(ct_device device);

// Limits oneDNN's and ideep's caches of shapes, unless the environment does.
void ct_limit_primitive_caches(void);
// Keeps freed host memory for the next allocation instead of returning it to the system page by page.
void ct_keep_host_memory(void);
// Returns freed host memory that is kept for reuse to the system.
void ct_release_host_memory(void);
int32_t ct_thread_count(void);
void ct_set_thread_count(int32_t count);  // above 0
const char *ct_libtorch_version(void);
// The name of the instruction set that libtorch's CPU kernels use ("AVX512", …).
char *ct_cpu_capability(void);

#ifdef __cplusplus
}
#endif

#include "CTorchProcessGroup.h"
