// What the CPU's kernels and the GPU's (Accelerator/Layers.cu) compute by the same text. The GPU's compiler finds no headers,
// so that this one includes none.
#pragma once

#ifdef __CUDACC__
#define MENO_FORMULA static __device__
#else
#define MENO_FORMULA static inline __attribute__((always_inline))
#endif

// MARK: Dropout and noise

// The key of the row with a number: 64 random bits (the finalizer of SplitMix64; Steele et al., 2014).
MENO_FORMULA unsigned long long row_key(unsigned long long key, long long number) {
    unsigned long long z = key + (static_cast<unsigned long long>(number) + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// 32 random bits of a column in a row with that key (the mixer of MurmurHash3, Appleby, between the two halves).
MENO_FORMULA unsigned random_bits(unsigned long long row_key, unsigned column) {
    unsigned h = column ^ static_cast<unsigned>(row_key);
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h += static_cast<unsigned>(row_key >> 32);
    h *= 0xC2B2AE35u;
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    return h;
}

// Random bits as a number on [−1, 1).
MENO_FORMULA float uniform(unsigned bits) { return static_cast<float>(bits >> 8) * (1.0f / 8388608.0f) - 1.0f; }

// MARK: Activations, by a function for exp

struct Activation {
    float value, slope;
};

// x · sigmoid(x).
template <class Exponential>
MENO_FORMULA Activation silu(float x, Exponential exponential) {
    float sigmoid = 1.0f / (1.0f + exponential(-x));
    return {x * sigmoid, sigmoid * (1.0f + x * (1.0f - sigmoid))};
}

// x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) (Hendrycks and Gimpel, 2016, arXiv:1606.08415).
template <class Exponential>
MENO_FORMULA Activation gelu_tanh(float x, Exponential exponential) {
    const float root = 0.7978845608028654f, cubic = 0.044715f;
    float inner = root * (x + cubic * x * x * x);
    // (1 + tanh u) / 2 = 1 / (1 + exp(−2u)).
    float upper = 1.0f / (1.0f + exponential(-2.0f * inner));
    float slope = root * (1.0f + 3.0f * cubic * x * x);
    return {x * upper, upper + 2.0f * x * upper * (1.0f - upper) * slope};
}
