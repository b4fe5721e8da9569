// Small layers of transformers as kernels for an NVIDIA GPU. Compiled while the program runs (DeviceCode.cpp), so that
// building needs no CUDA; there is no header but the one below. Values are float32 or bfloat16, arithmetic is float32. Sums
// have a fixed order, and no kernel waits for another block.

#include "../Kernels/Formulas.h"

typedef long long Index;
typedef unsigned long long Bits;

struct Float32 {
    typedef float Storage;
    static __device__ float load(float value) { return value; }
    static __device__ float store(float value) { return value; }
};

struct BFloat16 {
    typedef unsigned short Storage;
    static __device__ float load(unsigned short value) { return __uint_as_float(static_cast<unsigned>(value) << 16); }
    // To the nearest, ties to even.
    static __device__ unsigned short store(float value) {
        unsigned bits = __float_as_uint(value);
        if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;
        return static_cast<unsigned short>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
    }
};

const int kWarp = 32;

// Of the values of a warp; every thread has the result.
static __device__ float warp_sum(float value) {
    for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    return value;
}

// The element that this thread stands for, where each stands for one.
static __device__ Index element() { return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; }

// The row that this thread's warp stands for, in blocks of (32, rows) threads.
static __device__ Index row_of_warp() { return static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y; }

// MARK: RMSNorm

template <class E>
static __device__ void normalize(
    const typename E::Storage *x, const float *weight, Index rows, Index n, float offset, float epsilon,
    typename E::Storage *y, float *scales) {
    Index row = row_of_warp();
    if (row >= rows) return;
    x += row * n;
    y += row * n;
    float squares = 0;
    for (Index i = threadIdx.x; i < n; i += kWarp) squares += E::load(x[i]) * E::load(x[i]);
    float scale = 1 / sqrtf(warp_sum(squares) / n + epsilon);
    for (Index i = threadIdx.x; i < n; i += kWarp) y[i] = E::store(E::load(x[i]) * scale * (weight[i] + offset));
    if (threadIdx.x == 0) scales[row] = scale;
}

// dx = s · (g · w − x · s² · mean(g · w · x)), s = 1 / √(mean(x²) + ε).
template <class E>
static __device__ void normalize_backward(
    const typename E::Storage *gradient, const typename E::Storage *x, const float *weight, const float *scales, Index rows,
    Index n, float offset, typename E::Storage *result) {
    Index row = row_of_warp();
    if (row >= rows) return;
    gradient += row * n;
    x += row * n;
    result += row * n;
    float product = 0;
    for (Index i = threadIdx.x; i < n; i += kWarp) product += E::load(gradient[i]) * (weight[i] + offset) * E::load(x[i]);
    float scale = scales[row], share = warp_sum(product) / n * scale * scale;
    for (Index i = threadIdx.x; i < n; i += kWarp)
        result[i] = E::store(scale * (E::load(gradient[i]) * (weight[i] + offset) - E::load(x[i]) * share));
}

// MARK: Rotary embedding

// A pair (x[i], x[i + size / 2]) of heads [tokens, heads, size]; with sign −1 the inverse.
template <class E>
static __device__ void turn(
    const typename E::Storage *x, const float *cosines, const float *sines, Index tokens, Index heads, Index size,
    float sign, typename E::Storage *y) {
    Index half = size / 2, place = element();
    if (place >= tokens * heads * half) return;
    Index i = place % half, head = place / half;
    const float *c = cosines + head / heads * size, *s = sines + head / heads * size;
    x += head * size;
    y += head * size;
    float first = E::load(x[i]), second = E::load(x[half + i]);
    y[i] = E::store(first * c[i] - sign * (second * s[i]));
    y[half + i] = E::store(second * c[half + i] + sign * (first * s[half + i]));
}

// MARK: Gated activation

static __device__ Activation activation(float x, int kind) {
    auto exponential = [](float y) { return expf(y); };
    return kind == 0 ? silu(x, exponential) : gelu_tanh(x, exponential);
}

template <class E>
static __device__ void gate(
    const typename E::Storage *gated, const typename E::Storage *up, Index n, int kind, typename E::Storage *out) {
    Index i = element();
    if (i < n) out[i] = E::store(activation(E::load(gated[i]), kind).value * E::load(up[i]));
}

template <class E>
static __device__ void gate_backward(
    const typename E::Storage *gradient, const typename E::Storage *gated, const typename E::Storage *up, Index n, int kind,
    typename E::Storage *gate_gradient, typename E::Storage *up_gradient) {
    Index i = element();
    if (i >= n) return;
    float g = E::load(gradient[i]);
    Activation a = activation(E::load(gated[i]), kind);
    gate_gradient[i] = E::store(g * E::load(up[i]) * a.slope);
    up_gradient[i] = E::store(g * a.value);
}

// MARK: Low-rank adapters

// to = D(from), or to += D(from), for a matrix of so many columns and a number for each row.
template <class E>
static __device__ void drop(
    const typename E::Storage *from, Index n, Index columns, Bits key, const Index *numbers, unsigned limit, float scale,
    int adds, typename E::Storage *to) {
    Index i = element();
    if (i >= n) return;
    bool kept = random_bits(row_key(key, numbers[i / columns]), static_cast<unsigned>(i % columns)) >= limit;
    float value = kept ? E::load(from[i]) * scale : 0;
    to[i] = E::store(adds ? E::load(to[i]) + value : value);
}

// Two arrays of float32 at once in another type, the second one scaled.
template <class E>
static __device__ void narrow(
    const float *first, Index m, typename E::Storage *to_first, const float *second, Index n, float scale,
    typename E::Storage *to_second) {
    Index i = element();
    if (i < m) to_first[i] = E::store(first[i]);
    else if (i < m + n) to_second[i - m] = E::store(second[i - m] * scale);
}

// The way back.
template <class E>
static __device__ void widen(
    const typename E::Storage *first, Index m, float *to_first, const typename E::Storage *second, Index n, float scale,
    float *to_second) {
    Index i = element();
    if (i < m) to_first[i] = E::load(first[i]);
    else if (i < m + n) to_second[i - m] = E::load(second[i - m]) * scale;
}

// MARK: Cross-entropy

// The largest of some values and its first place, Σ exp(z − largest) and Σ z.
struct Summary {
    float largest, exponents, sum;
    Index place;
};

static __device__ Summary merged(Summary a, Summary b) {
    bool second = b.largest > a.largest || (b.largest == a.largest && b.place < a.place);
    float largest = second ? b.largest : a.largest;
    // Where nothing was summed up yet, the largest value is −∞.
    float left = a.exponents != 0 ? a.exponents * expf(a.largest - largest) : 0;
    float right = b.exponents != 0 ? b.exponents * expf(b.largest - largest) : 0;
    return {largest, left + right, a.sum + b.sum, second ? b.place : a.place};
}

static __device__ float capped(float x, float softcap) { return softcap > 0 ? softcap * tanhf(x / softcap) : x; }

// A row of logits x with target t, by a block of at most 1,024 threads:
//   z = softcap > 0 ? softcap · tanh(x / softcap) : x
//   loss = log Σ exp(z) − (1 − ε) z[t] − ε · mean z,  correct = argmax z == t
// and, where `differentiates`, d(loss)/dx takes the logits' place.
template <class E>
static __device__ void cross_entropy(
    typename E::Storage *logits, const Index *targets, Index vocabulary, float softcap, float smoothing, int differentiates,
    float *losses, unsigned char *correct) {
    __shared__ Summary shared[kWarp];
    Index row = blockIdx.x, target = targets[row];
    typename E::Storage *x = logits + row * vocabulary;
    Summary mine = {__uint_as_float(0xff800000u), 0, 0, vocabulary};  // −∞
    for (Index i = threadIdx.x; i < vocabulary; i += blockDim.x) {
        float z = capped(E::load(x[i]), softcap);
        if (z > mine.largest) {
            mine.exponents = mine.exponents != 0 ? mine.exponents * expf(mine.largest - z) : 0;
            mine.largest = z;
            mine.place = i;
        }
        mine.exponents += expf(z - mine.largest);  // of a z that is not a number neither is the sum
        mine.sum += z;
    }
    for (int step = kWarp / 2; step > 0; step /= 2) {
        Summary other = {
            __shfl_xor_sync(0xffffffffu, mine.largest, step), __shfl_xor_sync(0xffffffffu, mine.exponents, step),
            __shfl_xor_sync(0xffffffffu, mine.sum, step), __shfl_xor_sync(0xffffffffu, mine.place, step)};
        // The same order for both, so that both have the same result.
        mine = threadIdx.x & step ? merged(other, mine) : merged(mine, other);
    }
    if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = mine;
    __syncthreads();
    Summary all = shared[0];
    for (unsigned w = 1; w < blockDim.x / kWarp; ++w) all = merged(all, shared[w]);
    if (threadIdx.x == 0) {
        // Small beside the logits: their difference comes before what is added to it.
        float expected = (1 - smoothing) * capped(E::load(x[target]), softcap) + smoothing * (all.sum / vocabulary);
        losses[row] = logf(all.exponents) + (all.largest - expected);
        correct[row] = all.place == target;
    }
    if (!differentiates) return;
    // The target's logit was read before anybody overwrites it.
    __syncthreads();
    for (Index i = threadIdx.x; i < vocabulary; i += blockDim.x) {
        float z = capped(E::load(x[i]), softcap);
        float gradient = expf(z - all.largest) / all.exponents - smoothing / vocabulary - (i == target ? 1 - smoothing : 0);
        if (softcap > 0) gradient *= 1 - (z / softcap) * (z / softcap);
        x[i] = E::store(gradient);
    }
}

// MARK: Entries

#define ENTRIES(suffix, E)                                                                                            \
    extern "C" __global__ void normalize_##suffix(                                                                    \
        const E::Storage *x, const float *weight, Index rows, Index n, float offset, float epsilon, E::Storage *y,    \
        float *scales) {                                                                                              \
        normalize<E>(x, weight, rows, n, offset, epsilon, y, scales);                                                 \
    }                                                                                                                 \
    extern "C" __global__ void normalize_backward_##suffix(                                                           \
        const E::Storage *gradient, const E::Storage *x, const float *weight, const float *scales, Index rows,        \
        Index n, float offset, E::Storage *result) {                                                                  \
        normalize_backward<E>(gradient, x, weight, scales, rows, n, offset, result);                                  \
    }                                                                                                                 \
    extern "C" __global__ void turn_##suffix(                                                                         \
        const E::Storage *x, const float *cosines, const float *sines, Index tokens, Index heads, Index size,         \
        float sign, E::Storage *y) {                                                                                  \
        turn<E>(x, cosines, sines, tokens, heads, size, sign, y);                                                     \
    }                                                                                                                 \
    extern "C" __global__ void gate_##suffix(                                                                         \
        const E::Storage *gated, const E::Storage *up, Index n, int kind, E::Storage *out) {                          \
        gate<E>(gated, up, n, kind, out);                                                                             \
    }                                                                                                                 \
    extern "C" __global__ void gate_backward_##suffix(                                                                \
        const E::Storage *gradient, const E::Storage *gated, const E::Storage *up, Index n, int kind,                 \
        E::Storage *gate_gradient, E::Storage *up_gradient) {                                                         \
        gate_backward<E>(gradient, gated, up, n, kind, gate_gradient, up_gradient);                                   \
    }                                                                                                                 \
    extern "C" __global__ void drop_##suffix(                                                                         \
        const E::Storage *from, Index n, Index columns, Bits key, const Index *numbers, unsigned limit, float scale,  \
        int adds, E::Storage *to) {                                                                                   \
        drop<E>(from, n, columns, key, numbers, limit, scale, adds, to);                                              \
    }                                                                                                                 \
    extern "C" __global__ void narrow_##suffix(                                                                       \
        const float *first, Index m, E::Storage *to_first, const float *second, Index n, float scale,                 \
        E::Storage *to_second) {                                                                                      \
        narrow<E>(first, m, to_first, second, n, scale, to_second);                                                   \
    }                                                                                                                 \
    extern "C" __global__ void widen_##suffix(                                                                        \
        const E::Storage *first, Index m, float *to_first, const E::Storage *second, Index n, float scale,            \
        float *to_second) {                                                                                           \
        widen<E>(first, m, to_first, second, n, scale, to_second);                                                    \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(1024) cross_entropy_##suffix(                                        \
        E::Storage *logits, const Index *targets, Index vocabulary, float softcap, float smoothing,                   \
        int differentiates, float *losses, unsigned char *correct) {                                                  \
        cross_entropy<E>(logits, targets, vocabulary, softcap, smoothing, differentiates, losses, correct);           \
    }
ENTRIES(float32, Float32)
ENTRIES(bfloat16, BFloat16)
