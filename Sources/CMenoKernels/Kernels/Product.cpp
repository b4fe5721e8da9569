#include "Product.h"

#include <ATen/Version.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "PanelTile.h"
#include "Parallel.h"
#include "ProductKind.h"
#include "Vector.h"

namespace meno::product {

float *scratch(int64_t values) {
    struct Free {
        void operator()(float *memory) const { std::free(memory); }
    };
    thread_local std::unique_ptr<float, Free> memory;
    thread_local int64_t size = 0;
    if (values > size) {
        memory.reset();
        size = 0;
        auto bytes = static_cast<size_t>((values * 4 + 63) / 64 * 64);
        memory.reset(static_cast<float *>(std::aligned_alloc(64, bytes)));
        if (!memory) throw std::bad_alloc();
        size = values;
    }
    return memory.get();
}

#if defined(__x86_64__)

bool has_panels() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool available() {
    static const bool result = has_panels() && at::get_cpu_capability() != "DEFAULT";
    return result;
}

bool widens() { return kind() == Kind::widened; }

namespace {

// Columns that a thread packs at a time: few enough that they stay in its second-level cache.
constexpr int64_t kStrip = 64;

// A result in parts that one thread each packs columns for, computes and finishes: a strip of columns for all m rows. The
// strips that would leave threads without work at the end are shared out by rows, in whole units.
class Parts {
  public:
    struct Part {
        int64_t start, rows, first, columns;
    };

    Parts(int64_t m, int64_t unit, int64_t width)
        : m_(m), width_(width), strips_((width + kStrip - 1) / kStrip), groups_{m, unit, 1} {
        int64_t threads = at::get_num_threads(), left = strips_ % threads;
        whole_ = strips_ - left;
        if (left > 0) groups_.count = std::min((threads + left - 1) / left, (m + unit - 1) / unit);
    }

    int64_t count() const { return whole_ + (strips_ - whole_) * groups_.count; }

    Part operator[](int64_t i) const {
        int64_t strip = i < whole_ ? i : whole_ + (i - whole_) / groups_.count, first = strip * kStrip;
        int64_t columns = std::min(kStrip, width_ - first);
        if (i < whole_) return {0, m_, first, columns};
        int64_t group = (i - whole_) % groups_.count;
        return {groups_.begin(group), groups_.size(group), first, columns};
    }

  private:
    int64_t m_, width_, strips_, whole_;
    Shares groups_;
};

// As many lanes as keep four sums of vectors under way.
template <class Number>
MENO_INLINE float dot_of(const float *x, const typename Number::Storage *row, int64_t depth) {
    return lane_sum<4 * kLanes>(
        depth, [&](int64_t p) __attribute__((always_inline)) { return x[p] * Number::load(row[p]); });
}
MENO_VECTOR_CLONES float dot(const float *x, const float *row, int64_t depth) { return dot_of<Float32>(x, row, depth); }
MENO_VECTOR_CLONES float dot(const float *x, const uint16_t *row, int64_t depth) { return dot_of<BFloat16>(x, row, depth); }

template <class Element>
void multiply_few(const float *x, int64_t m, const Matrix &matrix, float *out) {
    auto data = static_cast<const Element *>(matrix.data);
    int64_t depth = matrix.columns;
    parallel_rows(matrix.rows, std::max<int64_t>(1, (1 << 16) / depth), [&](int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; ++j)
            for (int64_t i = 0; i < m; ++i) out[i * matrix.rows + j] = dot(x + i * depth, data + j * depth, depth);
    });
}

// The same of packed rows, decoded in registers: for one row of x at a time, as the products are bound by memory.
void multiply_few_packed(const float *x, int64_t m, const Matrix &matrix, float *out) {
    const packing::Packed &packed = *matrix.packed;
    int64_t depth = matrix.columns;
    parallel_rows(matrix.rows, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, depth)), [&](int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; ++j)
            for (int64_t i = 0; i < m; ++i) out[i * matrix.rows + j] = packed.dot(packed, j, x + i * depth);
    });
}

}  // namespace

void multiply(
    const float *x, int64_t x_stride, int64_t m, const float *packed, int64_t depth, int64_t count, float *out,
    int64_t out_stride, bool accumulate) {
    const PanelTile &tile = panel_tile();
    int64_t parts = std::max<int64_t>(1, (depth + tile.depth - 1) / tile.depth);
    int64_t part = (depth + parts - 1) / parts;
    for (int64_t start = 0; start < depth; start += part) {
        int64_t length = std::min(part, depth - start);
        for (int64_t j = 0; j < count; j += tile.wide)
            for (int64_t i = 0; i < m; i += tile.tall)
                tile.multiply(
                    std::min(tile.tall, m - i), std::min(tile.wide, count - j), x + i * x_stride + start, x_stride,
                    packed + j * depth + start * kPanel, depth * kPanel, length, out + i * out_stride + j, out_stride,
                    accumulate || start > 0);
    }
}

Shares row_blocks(int64_t m) {
    const PanelTile &tile = panel_tile();
    int64_t threads = at::get_num_threads(), wanted = (m + threads * tile.rows - 1) / (threads * tile.rows) * threads;
    return {m, tile.tall, std::min(wanted, (m + tile.tall - 1) / tile.tall)};
}

void multiply(const float *x, int64_t m, const Matrix &matrix, bool transposed, float *out, const Finish &finish) {
    int64_t depth = transposed ? matrix.rows : matrix.columns;
    int64_t width = transposed ? matrix.columns : matrix.rows;
    if (m <= kFew && !transposed) {
        if (matrix.type == Type::packed) multiply_few_packed(x, m, matrix, out);
        else if (matrix.type == Type::float32) multiply_few<float>(x, m, matrix, out);
        else multiply_few<uint16_t>(x, m, matrix, out);
        for (int64_t first = 0; finish && first < width; first += kChunk)
            finish(0, m, first, std::min(kChunk, width - first), out + first, width);
        return;
    }
    const PanelTile &tile = panel_tile();
    Parts parts(m, tile.tall, width);
    parallel(parts.count(), [&](int64_t i) {
        Parts::Part part = parts[i];
        float *packed = scratch(kStrip * depth);
        (transposed ? pack_columns : pack_rows)(matrix, part.first, part.columns, packed);
        for (int64_t start = part.start; start < part.start + part.rows; start += tile.rows) {
            int64_t here = std::min(tile.rows, part.start + part.rows - start);
            float *to = out + start * width + part.first;
            multiply(x + start * depth, depth, here, packed, depth, part.columns, to, width, false);
            if (finish) finish(start, here, part.first, part.columns, to, width);
        }
    });
}

#else

bool has_panels() { return false; }
bool available() { return false; }
bool widens() { return false; }
const PanelTile &panel_tile() {
    static const PanelTile none{1, kPanel, 1, 1, nullptr};
    return none;
}
void multiply(const float *, int64_t, int64_t, const float *, int64_t, int64_t, float *, int64_t, bool) {}
void multiply(const float *, int64_t, const Matrix &, bool, float *, const Finish &) {}
Shares row_blocks(int64_t m) { return {m, 1, at::get_num_threads()}; }

#endif

}  // namespace meno::product
