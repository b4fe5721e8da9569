// The search for scales of GGUF's "K" blocks, as llama.cpp makes it: of a row of candidate scales around the one that spans the
// values, each is tried by rounding the values with it and fitting scale (and minimum) to what they were rounded to by weighted
// least squares; the fit with the least weighted error is taken.
//
// Sixteen groups of values are searched at once, a group in each lane: no sum is taken across lanes. Lanes are the compiler's
// vectors here, since loops with so many selects are not turned into vector code. They are passed by reference: by value, their
// calling convention would depend on the instruction set.
#pragma once

#include <cmath>

#include "Vector.h"

#pragma STDC FP_CONTRACT OFF

namespace meno::packing {

namespace {

typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));

// 1.5 · 2^23: a sum with it is rounded to a whole number, ties to even. Exact for magnitudes below 2^22.
constexpr float kShift = 12582912.0f;

MENO_INLINE void round_within(Floats &x, float low, float high) {
    x = (x + kShift) - kShift;
    x = x < low ? Floats{} + low : x;
    x = x > high ? Floats{} + high : x;
}

MENO_INLINE void magnitude(const Floats &x, Floats &result) { result = x < 0 ? -x : x; }

// x ≈ scale · q − minimum, with q from 0 to `levels` and a minimum that is not negative, for 32 values in each lane.
struct MinimumSearch {
    Floats x[32], weights[32], weight_sum, x_sum;
    float levels;
    // The best fit so far.
    Floats scale, minimum, error;

    // Tries the scale 1 / inverse, from a lowest value on. Whether any lane fits better now.
    MENO_INLINE bool consider(MinimumSearch &search, const Floats &inverse, const Floats &lowest) {
        Floats q[32], q_sum = {}, qq_sum = {}, qx_sum = {};
        for (int64_t i = 0; i < 32; ++i) {
            q[i] = (search.x[i] - lowest) * inverse;
            round_within(q[i], 0, search.levels);
            Floats weighted = search.weights[i] * q[i];
            q_sum += weighted;
            qq_sum += weighted * q[i];
            qx_sum += weighted * search.x[i];
        }
        // The weighted least squares of x ≈ scale · q + low, with low at most 0.
        Floats determinant = search.weight_sum * qq_sum - q_sum * q_sum;
        Floats low = (qq_sum * search.x_sum - q_sum * qx_sum) / determinant;
        Floats fitted = (search.weight_sum * qx_sum - search.x_sum * q_sum) / determinant;
        auto above = low > 0;
        fitted = above ? qx_sum / qq_sum : fitted;
        low = above ? Floats{} : low;
        Floats error = {};
        for (int64_t i = 0; i < 32; ++i) {
            Floats distance = q[i] * fitted + low - search.x[i];
            error += search.weights[i] * distance * distance;
        }
        auto better = (determinant > 0) & (qq_sum > 0) & (error < search.error);
        search.scale = better ? fitted : search.scale;
        search.minimum = better ? -low : search.minimum;
        search.error = better ? error : search.error;
        int32_t any = 0;
        for (int64_t l = 0; l < kLanes; ++l) any |= better[l];
        return any != 0;
    }
};

// - x: value i of sixteen groups.
// - range, steps: candidates are (levels + range + 0.1 · step) / (largest − smallest).
MENO_INLINE void search_scales_and_minima(
    const Floats (&x)[32], float levels, float range, int steps, Floats &scales, Floats &minima) {
    MinimumSearch search;
    search.levels = levels;
    search.weight_sum = search.x_sum = search.scale = search.minimum = Floats{};
    search.error = Floats{} + INFINITY;
    Floats smallest = x[0], largest = x[0], squares = {};
    for (int64_t i = 0; i < 32; ++i) {
        search.x[i] = x[i];
        squares += x[i] * x[i];
        smallest = x[i] < smallest ? x[i] : smallest;
        largest = x[i] > largest ? x[i] : largest;
    }
    smallest = smallest > 0 ? Floats{} : smallest;
    // Larger values count for more, on the floor of the values' root mean square.
    Floats floor;
    for (int64_t l = 0; l < kLanes; ++l) floor[l] = std::sqrt(squares[l] / 32);
    for (int64_t i = 0; i < 32; ++i) {
        magnitude(x[i], search.weights[i]);
        search.weights[i] += floor;
        search.weight_sum += search.weights[i];
        search.x_sum += search.weights[i] * x[i];
    }
    Floats span = largest - smallest;
    for (int step = 0; step <= steps; ++step)
        MinimumSearch::consider(search, (levels + range + 0.1f * static_cast<float>(step)) / span, smallest);
    MinimumSearch::consider(search, levels / span, smallest);
    // The best fit, rounded with itself, may fit better still.
    for (int again = 0; again < 4; ++again)
        if (!MinimumSearch::consider(search, 1.0f / search.scale, -search.minimum)) break;
    auto fits = search.scale > 0;
    scales = fits ? search.scale : span / levels;
    minima = fits ? search.minimum : -smallest;
    // One value, or values that are no numbers.
    auto spans = (span > 0) & (span < INFINITY);
    scales = spans ? scales : Floats{};
    minima = spans ? minima : -smallest;
}

// x ≈ scale · q with q from −`levels` to `levels` − 1, for 16 values in each lane, weighted by their squares.
MENO_INLINE void search_scales(const Floats (&x)[16], float levels, Floats &scales) {
    Floats extreme = {}, size = {};
    for (int64_t i = 0; i < 16; ++i) {
        Floats here;
        magnitude(x[i], here);
        auto larger = here > size;
        extreme = larger ? x[i] : extreme;
        size = larger ? here : size;
    }
    Floats gain = {}, best = {};
    for (int step = -9; step <= 9; ++step) {
        Floats inverse = -(levels + 0.1f * static_cast<float>(step)) / extreme, qx = {}, qq = {};
        for (int64_t i = 0; i < 16; ++i) {
            Floats q = x[i] * inverse;
            round_within(q, -levels, levels - 1);
            Floats weighted = x[i] * x[i] * q;
            qx += weighted * x[i];
            qq += weighted * q;
        }
        // What the error falls by: Σwx² is the same for all.
        auto better = (qq > 0) & (qx * qx > gain * qq);
        best = better ? qx / qq : best;
        gain = better ? qx * qx / qq : gain;
    }
    // Smaller ones could not be stored.
    scales = ((size >= 1e-15f) & (size < INFINITY)) ? best : Floats{};
}

}  // namespace

}  // namespace meno::packing
