// Values by four-bit codes: each code stands for one of sixteen values, which a factor multiplies.
#pragma once

#include <cstdint>

namespace meno::packing {

// Units of 32 values: the codes of unit u are the 16 bytes at codes + u · stride, its factor is factors[u], and its values go to
// values + 32 u. In each byte of the first, the high half is the first of two values; in those of the second, the low halves
// are the first 16 values and the high halves the others.
void look_up_pairs(
    const float *table, const uint8_t *codes, int64_t stride, const float *factors, int64_t units, float *values);
void look_up_halves(
    const float *table, const uint8_t *codes, int64_t stride, const float *factors, int64_t units, float *values);

}  // namespace meno::packing
