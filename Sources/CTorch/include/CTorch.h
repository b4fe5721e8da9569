// The C interface over libtorch: opaque handles in, status out.
//
// Every function that can fail returns a ct_status. On failure its code is not CT_OK, its message is
// libtorch's own (to be freed with ct_string_free), and no output was written. No C++ exception ever
// crosses this border.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Status

typedef enum ct_code {
    CT_OK = 0,
    CT_ERROR = 1,             // anything libtorch refuses: shapes, dtypes, arguments
    CT_OUT_OF_MEMORY = 2,     // the device's or the host's allocator refused
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
// Handles alive in the process: the leak test's measure.
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
// The single element of a one-element tensor. On an accelerator this waits for it.
ct_status ct_tensor_item(const ct_tensor *tensor, double *value);

// MARK: Operators, by the dispatcher

typedef struct ct_operator ct_operator;  // lives as long as the process

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
// Calls with positional arguments; those left out take the schema's defaults. Results are the returned
// tensors in order, lists flattened, undefined ones null; `count` may not exceed `capacity`.
ct_status ct_operator_call(
    const ct_operator *op, const ct_value *arguments, int64_t argument_count, ct_tensor **results, int64_t capacity,
    int64_t *count);

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
// d(outputs · gradients)/d(inputs), without touching any leaf; null where an input is not reached.
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
// 64 bits from the CPU's generator.
ct_status ct_random_bits(uint64_t *result);
// The generator's whole state as a byte tensor on the host.
ct_status ct_random_state(ct_device device, ct_tensor **result);
ct_status ct_set_random_state(ct_device device, const ct_tensor *state);

// MARK: Devices, threads and memory

typedef struct ct_memory {
    int64_t allocated, reserved, peak_allocated, peak_reserved;  // bytes, of this process
} ct_memory;

// Loads the CUDA part of libtorch where there is one. 0 where there is none.
int32_t ct_device_count(ct_device_type type);
ct_status ct_synchronize(ct_device device);
// Whether operators of this process take kernels whose sums have a fixed order, and fail where there are none.
void ct_set_fixed_order(bool fixed);
ct_status ct_memory_statistics(ct_device device, ct_memory *result);
// Bytes of an accelerator that new tensors can still take.
ct_status ct_free_memory(ct_device device, int64_t *result);
ct_status ct_reset_peak_memory(ct_device device);
ct_status ct_empty_cache(ct_device device);

// Bounds what oneDNN and ideep remember of shapes they have seen, unless the environment does.
void ct_limit_primitive_caches(void);
// Keeps freed host memory for the next allocation instead of giving it back at once and taking it anew, page by page.
void ct_keep_host_memory(void);
// Gives host memory that was freed, but is kept for later, back to the system.
void ct_release_host_memory(void);
int32_t ct_thread_count(void);
void ct_set_thread_count(int32_t count);  // above 0
const char *ct_libtorch_version(void);
// Name of the instruction set that libtorch's own CPU kernels use ("AVX512", …).
char *ct_cpu_capability(void);

// MARK: Products with frozen weights

// Whether products of float32 activations are this project's own on this processor (AVX2 or AVX-512).
bool ct_has_own_products(void);
// Whether activations should be float32 beside weights in bfloat16: no bfloat16 instructions.
bool ct_widens_weights(void);
// Whether products of bfloat16 matrices are this project's own, on the processor's matrix unit (AMX).
bool ct_has_tile_products(void);
// Whether ct_product takes activations and weights of these types (ct_dtype): float32 with either, where products are this
// project's own, and bfloat16 with bfloat16.
bool ct_has_product(int32_t activations, int32_t weights);
// x · Wᵀ for x [..., columns] and W [rows, columns], both contiguous on the CPU; with `transposed` x · W for x [..., rows].
// Sums in float32. Takes no part in autograd.
ct_status ct_product(const ct_tensor *x, const ct_tensor *weight, bool transposed, ct_tensor **result);

// A low-rank change of a frozen matrix [rows, columns]: A [rank, columns] and B [rows, rank], contiguous float32.
typedef struct ct_adapter {
    const ct_tensor *down;
    const ct_tensor *up;
    float scaling;
    double dropout;        // the probability with which an element of the adapter's input is dropped
    uint64_t dropout_key;  // which ones follows from this
} ct_adapter;
// Whether the next two take these activations and weights: on the CPU what ct_product takes, and float32 with float32; on a
// GPU that has this project's kernels float32 or bfloat16 with the same.
bool ct_has_adapted_product(const ct_tensor *x, const ct_tensor *weight);
// output = x · Wᵀ + s · dropout(x) · Aᵀ · Bᵀ; W contiguous, x and output in float32 or bfloat16. `lowered` is what the way
// back needs of what lies between: on the CPU in float32, on a GPU in the type of x.
ct_status ct_adapted_product(
    const ct_tensor *x, const ct_tensor *weight, const ct_adapter *adapter, ct_tensor **output, ct_tensor **lowered);
// The gradients of x (unless `input_gradient` is null), A and B, with the same key.
ct_status ct_adapted_product_backward(
    const ct_tensor *gradient, const ct_tensor *x, const ct_tensor *lowered, const ct_tensor *weight,
    const ct_adapter *adapter, ct_tensor **input_gradient, ct_tensor **down_gradient, ct_tensor **up_gradient);

// MARK: Fused kernels

// The cross-entropy of a frozen head, for states h [rows, hidden] and a table W [vocabulary, hidden] on the CPU, without
// more logits at hand than a chunk of the vocabulary for a block of rows:
//   z = softcap > 0 ? softcap · tanh(hWᵀ / softcap) : hWᵀ
//   loss[row] = log Σ exp(z) − z[t],  correct[row] = argmax z == t,  t = targets[row]
//   gradient[row] = (softmax(z) − onehot(t)) · dz/d(hWᵀ) · W, where `gradient` is not null, in the states' type.
// With `threshold` > 0, softmax entries below threshold · (what the sum is known to be at least) are not taken one by one:
// the sum of those of a chunk of 512 words is multiplied with the chunk's row of `centroids`; where a product of all entries
// of a chunk is faster, they are all taken.
// Unless its products are libtorch's, the result does not depend on the number of threads.
ct_status ct_vocabulary_loss(
    const ct_tensor *states, const ct_tensor *table, const ct_tensor *centroids, const int64_t *targets, int64_t rows,
    float softcap, double threshold, float *loss, uint8_t *correct, ct_tensor **gradient);
// Whether it takes these states and this table, with that threshold where a gradient is wanted. It takes float32 states
// where products are this project's own, and bfloat16 ones on a bfloat16 table; elsewhere both are of one type, and a
// gradient needs a threshold.
bool ct_has_vocabulary_loss(const ct_tensor *states, const ct_tensor *table, bool gradient, double threshold);
// The means of every 512 rows of a table [vocabulary, hidden], float32.
ct_status ct_vocabulary_centroids(const ct_tensor *table, ct_tensor **result);

// The following take contiguous tensors in float32 or bfloat16, compute in float32 and return tensors like their input: on the
// CPU, and those for norms, rotations and gates on a GPU too. They take no part in autograd.

// Whether those for norms, rotations and gates take this tensor, once it is contiguous: on the CPU, and on an NVIDIA GPU for
// which their kernels can be compiled.
bool ct_has_fused_layers(const ct_tensor *input);
// Why a device has none of this project's kernels, to be freed with ct_string_free; null where it has them.
char *ct_kernel_fault(ct_device device);

// For tests. Runs a GPU's kernel on the CPU, over blocks of columns × rows threads; false where there is none of this name.
typedef bool (*ct_kernel_emulation)(
    const char *name, int64_t blocks, uint32_t columns, uint32_t rows, void *const *arguments);
// From now on the calling thread computes with tensors on the CPU what it would with those on a GPU; null: no longer.
void ct_emulate_kernels(ct_kernel_emulation emulation);

// y = x · s · (weight + offset) over the last dimension, s = 1 / √(mean(x²) + ε); `scales` receives s for each row.
ct_status ct_rms_norm(
    const ct_tensor *input, const ct_tensor *weight, float offset, float epsilon, ct_tensor **output, ct_tensor **scales);
// The gradient with respect to the input.
ct_status ct_rms_norm_backward(
    const ct_tensor *gradient, const ct_tensor *input, const ct_tensor *weight, const ct_tensor *scales, float offset,
    ct_tensor **result);

// x · cos + (−x₂, x₁) · sin for heads [tokens, heads, size] and float32 tables of tokens · size values; `inverse` turns
// back, which is what takes a gradient from the output to the input.
ct_status ct_rotate(
    const ct_tensor *input, const ct_tensor *cosines, const ct_tensor *sines, bool inverse, ct_tensor **output);

// Sequences that lie end to end: where each begins and the last one ends, and how their tokens attend.
typedef struct ct_attention_layout {
    const int64_t *boundaries;  // [sequences + 1]
    int64_t sequences;
    int64_t shared;  // tokens that the first sequence begins with and that come before those of every other; 0: none
    int64_t window;  // keys that a query sees, its own the last; 0: all up to its own
    float scale;     // of the scores
    float softcap;   // where positive, softcap · tanh(scores / softcap) takes their place
} ct_attention_layout;
// Whether ct_attention takes such queries [tokens, heads, size] on this processor.
bool ct_has_attention(const ct_tensor *query);
// softmax(scale · q kᵀ) v for queries [tokens, heads, size], keys and values [tokens, key heads, size], with as many heads for
// each key; `log_sums` [heads, tokens] receives the logarithms of the softmax's denominators. The result does not depend on
// the number of threads.
ct_status ct_attention(
    const ct_tensor *query, const ct_tensor *key, const ct_tensor *value, const ct_attention_layout *layout,
    ct_tensor **output, ct_tensor **log_sums);
// `gradients` receives those of the queries, keys and values.
ct_status ct_attention_backward(
    const ct_tensor *gradient, const ct_tensor *query, const ct_tensor *key, const ct_tensor *value,
    const ct_tensor *output, const ct_tensor *log_sums, const ct_attention_layout *layout, ct_tensor **gradients);

typedef enum ct_activation { CT_SILU = 0, CT_GELU_TANH = 1 } ct_activation;

// activation(gate) · up.
ct_status ct_gate(const ct_tensor *gate, const ct_tensor *up, ct_activation activation, ct_tensor **output);
ct_status ct_gate_backward(
    const ct_tensor *gradient, const ct_tensor *gate, const ct_tensor *up, ct_activation activation,
    ct_tensor **gate_gradient, ct_tensor **up_gradient);
// Whether ct_gated_product takes these activations [..., in] and a weight [out, in].
bool ct_has_gated_product(const ct_tensor *x, const ct_tensor *weight);
// activation(x · gateᵀ) · (x · upᵀ) of frozen weights, as products and ct_gate compute it; takes no part in autograd.
ct_status ct_gated_product(
    const ct_tensor *x, const ct_tensor *gate, const ct_tensor *up, ct_activation activation, ct_tensor **result);

// One tile of a language-model head on the CPU, in place over its logits.
//
// For each of `rows` rows x = logits[row, 0..<vocabulary] (bfloat16 or float32, contiguous) with target t:
//   z = softcap > 0 ? softcap · tanh(x / softcap) : x
//   loss[row] = log Σ exp(z) − (1 − ε) z[t] − ε · mean z, ε = smoothing   (float32, sums in float32 by blocks)
//   correct[row] = argmax z == t
// and, where `gradient_scale` ≠ 0, the row is overwritten with d(gradient_scale · loss)/dx.
// Rows are shared out over libtorch's threads; the result does not depend on how many there are.
ct_status ct_head_tile(
    ct_tensor *logits, const int64_t *targets, int64_t rows, float softcap, float smoothing, float gradient_scale,
    float *loss, uint8_t *correct);

// The same on a GPU that has this project's kernels, with targets (int64, inside the vocabulary), losses (float32) and correct
// (uint8), a value for each row, there too. `gradient_scale` is 1 where `differentiates`, and 0 elsewhere.
ct_status ct_cross_entropy(
    ct_tensor *logits, const ct_tensor *targets, float softcap, float smoothing, bool differentiates, ct_tensor *losses,
    ct_tensor *correct);

#ifdef __cplusplus
}
#endif

#include "CTorchProcessGroup.h"
