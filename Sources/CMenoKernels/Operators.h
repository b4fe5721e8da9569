// This project's operators. Tensors are contiguous, results are like their input, and nothing takes part in autograd: whoever
// calls them gives them a derivative by the operator for the way back. Which inputs an operator takes on this machine,
// meno::takes tells. Those for norms, rotations, gates, adapters, dropout and the cross-entropy compute on a GPU too.
#pragma once

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

#include <optional>
#include <string_view>
#include <tuple>

namespace meno::operators {

using at::Tensor;
using std::optional;
using std::tuple;

// MARK: What there is

// Whether an operator takes these inputs, once they are contiguous:
//   fused_layers      a tensor for norms, rotations, gates and dropout
//   frozen_product    activations, weight
//   adapted_product   activations, weight
//   gated_product     activations, weight
//   attention         queries [tokens, heads, size]
//   vocabulary_loss   states, table; also where every entry of the gradient is wanted: vocabulary_loss_exact
// A weight or a table is the last input, or the last ones: its parts in a format.
bool takes(std::string_view name, at::TensorList inputs, std::string_view format);
// What this processor has:
//   products         products of float32 activations (AVX2 or AVX-512)
//   tile_products    products of bfloat16 matrices on the matrix unit (AMX)
//   widened_weights  activations that should be float32 beside weights in bfloat16, because it multiplies that faster
bool processor_has(std::string_view feature);
// By names of Kernels/ProductKind.h.
bool supports_products(std::string_view kind);
void use_products(std::string_view kind);
bool uses_products(std::string_view kind);
// An error that tells why a GPU has none of these kernels; none where it has them.
void require_kernels(at::Device device);

// MARK: Products with frozen weights

// A weight W [rows, columns] is one tensor of the format `dense`, or the parts of a packed matrix (Kernels/Packing.h).

// x · Wᵀ for x [..., columns]; with `transposed` x · W for x [..., rows]. Sums in float32.
Tensor frozen_product(const Tensor &x, at::TensorList weight, std::string_view format, bool transposed);
// The values of W, or of some of its rows (int64), as float32 or bfloat16.
Tensor unpack_rows(at::TensorList weight, std::string_view format, const optional<Tensor> &rows, at::ScalarType type);
// Four-bit codes, two in a byte, and scales of values, as bitsandbytes makes them (Kernels/Quantizing.h).
void quantize_four_bits_(
    const Tensor &values, const Tensor &bounds, const Tensor &numbers, const Tensor &codes, const Tensor &scales);
// Eight-bit codes of values [rows, columns] and a scale for each row.
void quantize_eight_bits_(const Tensor &values, const Tensor &codes, const Tensor &scales);
// The blocks of values in one of GGUF's formats whose scales are searched for (Kernels/BlockQuantizing.h).
void quantize_blocks_(const Tensor &values, std::string_view format, const Tensor &blocks);
// activation(x · gateᵀ) · (x · upᵀ), as products and gate compute it.
Tensor gated_product(const Tensor &x, const Tensor &gate, const Tensor &up, std::string_view activation);

// x · Wᵀ + s · D(x) · Aᵀ · Bᵀ for A [rank, columns] and B [rows, rank] in float32, x in float32 or bfloat16, and what the way
// back needs of what lies between, on the CPU in float32, on a GPU in the type of x. D drops an element with a probability;
// which ones follows from the key, the number of the element's row (int64, beside x) and its column.
tuple<Tensor, Tensor> adapted_product(
    const Tensor &x, at::TensorList weight, std::string_view format, const Tensor &down, const Tensor &up, double scaling,
    double dropout, int64_t key, const optional<Tensor> &row_numbers);
// The gradients of x (undefined unless `input`), A and B.
tuple<Tensor, Tensor, Tensor> adapted_product_backward(
    const Tensor &gradient, const Tensor &x, const Tensor &lowered, at::TensorList weight, std::string_view format,
    const Tensor &down, const Tensor &up, double scaling, double dropout, int64_t key, const optional<Tensor> &row_numbers, bool input);

// MARK: Random numbers of rows

// D(x) of a matrix, or of a gradient what D makes of it.
Tensor dropout(const Tensor &x, double probability, int64_t key, const Tensor &row_numbers);
// Numbers [rows, columns] on [-1, 1), float32 on the CPU.
Tensor uniform(const Tensor &row_numbers, int64_t key, int64_t columns);

// MARK: Small layers

// y = x · s · (weight + offset) over the last dimension, s = 1 / √(mean(x²) + ε); and s for each row.
tuple<Tensor, Tensor> rms_norm(const Tensor &x, const Tensor &weight, double offset, double epsilon);
// The gradient with respect to the input.
Tensor rms_norm_backward(
    const Tensor &gradient, const Tensor &x, const Tensor &weight, const Tensor &scales, double offset);

// x · cos + (−x₂, x₁) · sin for heads [tokens, heads, size] and float32 tables of tokens · size values; `inverse` turns
// back, which is what takes a gradient from the output to the input.
Tensor rotate(const Tensor &x, const Tensor &cosines, const Tensor &sines, bool inverse);

// activation(gate) · up, the activation one of silu and gelu_tanh.
Tensor gate(const Tensor &gate, const Tensor &up, std::string_view activation);
tuple<Tensor, Tensor> gate_backward(
    const Tensor &gradient, const Tensor &gate, const Tensor &up, std::string_view activation);

// MARK: Attention

// softmax(scale · q kᵀ) v of sequences that lie end to end, for queries [tokens, heads, size], keys and values [tokens, key
// heads, size], with as many heads for each key; and the logarithms of the softmax's denominators [heads, tokens]. The
// result does not depend on the number of threads.
//   boundaries  where each sequence begins and the last one ends
//   shared      tokens that the first sequence begins with and that come before those of every other; 0: none
//   window      keys that a query sees, its own the last; 0: all up to its own
//   softcap     where positive, softcap · tanh(scores / softcap) takes the scores' place
tuple<Tensor, Tensor> attention(
    const Tensor &query, const Tensor &key, const Tensor &value, at::IntArrayRef boundaries, int64_t shared, int64_t window,
    double scale, double softcap);
// The gradients of the queries, keys and values.
tuple<Tensor, Tensor, Tensor> attention_backward(
    const Tensor &gradient, const Tensor &query, const Tensor &key, const Tensor &value, const Tensor &output,
    const Tensor &log_sums, at::IntArrayRef boundaries, int64_t shared, int64_t window, double scale, double softcap);

// The same for a few new tokens of one sequence in float32, to themselves and to the `before` tokens whose keys and values are
// in the caches [capacity, key heads, size], which take up the new ones. Without a gradient.
Tensor cached_attention(
    const Tensor &query, const Tensor &key, const Tensor &value, const Tensor &keys, const Tensor &values, int64_t before,
    int64_t window, double scale, double softcap);

// MARK: The head

// The cross-entropy of a frozen head, for states h [rows, hidden] and a table W [vocabulary, hidden] on the CPU, without
// more logits at hand than a chunk of the vocabulary for a block of rows:
//   z = softcap > 0 ? softcap · tanh(hWᵀ / softcap) : hWᵀ
//   loss[row] = log Σ exp(z) − z[t],  correct[row] = argmax z == t,  t = targets[row]
//   gradient[row] = (softmax(z) − onehot(t)) · dz/d(hWᵀ) · W in the states' type, where it is wanted; otherwise undefined.
// With `threshold` > 0, softmax entries below threshold · (what the sum is known to be at least) are not taken one by one:
// the sum of those of a chunk of 512 words is multiplied with the chunk's row of `centroids`; where a product of all entries
// of a chunk is faster, they are all taken.
// Unless its products are libtorch's, the result does not depend on the number of threads.
tuple<Tensor, Tensor, Tensor> vocabulary_loss(
    const Tensor &states, at::TensorList table, std::string_view format, const optional<Tensor> &centroids,
    const Tensor &targets, double softcap, double threshold, bool gradient);
// The means of every 512 rows of a table [vocabulary, hidden], float32.
Tensor vocabulary_centroids(at::TensorList table, std::string_view format);

// One tile of a head, in place over its logits [rows, vocabulary], with a target (int64), a loss (float32) and a byte for each
// row beside them:
//   z = softcap > 0 ? softcap · tanh(x / softcap) : x
//   loss[row] = log Σ exp(z) − (1 − ε) z[t] − ε · mean z, ε = smoothing   (float32, sums in float32 by blocks)
//   correct[row] = argmax z == t
// and, where `gradient_scale` ≠ 0, the row is overwritten with d(gradient_scale · loss)/dx; on a GPU it is 0 or 1, and
// targets are inside the vocabulary. The result does not depend on the number of threads.
void cross_entropy_(
    const Tensor &logits, const Tensor &targets, double softcap, double smoothing, double gradient_scale,
    const Tensor &losses, const Tensor &correct);

}  // namespace meno::operators
