#include "AdaptedProduct.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "Conversion.h"
#include "Dropout.h"
#include "FrozenProduct.h"

namespace meno::product {

namespace {

MENO_VECTOR_CLONES void drop(
    const float *from, int64_t n, int64_t first, uint64_t key, uint32_t limit, float scale, float *to) {
    masked_row<Float32, Float32, false>(from, n, first, key, limit, scale, to);
}
MENO_VECTOR_CLONES void drop(
    const uint16_t *from, int64_t n, int64_t first, uint64_t key, uint32_t limit, float scale, float *to) {
    masked_row<BFloat16, Float32, false>(from, n, first, key, limit, scale, to);
}
MENO_VECTOR_CLONES void add_dropped(
    const float *from, int64_t n, int64_t first, uint64_t key, uint32_t limit, float scale, float *to) {
    masked_row<Float32, Float32, true>(from, n, first, key, limit, scale, to);
}

// D of rows start..<start + count in float32, in memory of this thread unless they are that already.
template <class Element>
const float *dropped(const Element *from, int64_t columns, int64_t start, int64_t count, const Dropout &dropout) {
    from += start * columns;
    if constexpr (std::is_same_v<Element, float>)
        if (!dropout.drops()) return from;
    thread_local std::vector<float> memory;
    memory.resize(static_cast<size_t>(count * columns));
    float *to = memory.data();
    if (!dropout.drops()) convert(from, count * columns, to);
    for (int64_t i = 0; i < count && dropout.drops(); ++i)
        drop(from + i * columns, columns, 0, dropout.row_key(start + i), dropout.limit(), dropout.scale(), to + i * columns);
    return to;
}

const float *dropped(const Matrix &x, int64_t start, int64_t count, const Dropout &dropout) {
    return x.type == Type::bfloat16
               ? dropped(static_cast<const uint16_t *>(x.data), x.columns, start, count, dropout)
               : dropped(static_cast<const float *>(x.data), x.columns, start, count, dropout);
}

// Panels for matrices as small as an adapter's.
class Panels {
  public:
    Panels(int64_t depth, int64_t width)
        : depth_(depth), width_(width), memory_(at::empty({(width + kPanel - 1) / kPanel * kPanel * depth}, at::kFloat)) {}

    // The product's right side is Mᵀ, or M.
    Panels &&rows(const float *matrix) && {
        pack_rows({matrix, Type::float32, width_, depth_}, 0, width_, data());
        return std::move(*this);
    }
    Panels &&columns(const float *matrix) && {
        pack_columns({matrix, Type::float32, depth_, width_}, 0, width_, data());
        return std::move(*this);
    }
    Panels &&scaled(float factor) && {
        memory_.mul_(factor);
        return std::move(*this);
    }

    // out (+)= x · these, columns first..<first + count, on this thread.
    void multiply(
        const float *x, int64_t m, int64_t first, int64_t count, float *out, int64_t out_stride, bool accumulate) const {
        product::multiply(x, depth_, m, data() + first * depth_, depth_, count, out, out_stride, accumulate);
    }
    int64_t width() const { return width_; }

  private:
    float *data() const { return memory_.data_ptr<float>(); }
    int64_t depth_, width_;
    at::Tensor memory_;
};

// out [m, width] = D(x [m, depth]) · panels.
void lower(const Matrix &x, const Dropout &dropout, const Panels &panels, float *out) {
    int64_t width = panels.width();
    Shares blocks = row_blocks(x.rows);
    parallel(blocks.count, [&](int64_t block) {
        int64_t start = blocks.begin(block), here = blocks.size(block);
        panels.multiply(dropped(x, start, here, dropout), here, 0, width, out + start * width, width, false);
    });
}

// y += D(low [m, rank] · panels), a block of rows and columns at a time.
Finish raise(const float *low, int64_t rank, const Panels &panels, const Dropout &dropout) {
    return [=, &panels](int64_t start, int64_t rows, int64_t first, int64_t count, float *y, int64_t stride) {
        const float *from = low + start * rank;
        if (!dropout.drops()) return panels.multiply(from, rows, first, count, y, stride, true);
        thread_local std::vector<float> raised;
        raised.resize(static_cast<size_t>(rows * count));
        panels.multiply(from, rows, first, count, raised.data(), count, false);
        for (int64_t i = 0; i < rows; ++i)
            add_dropped(
                raised.data() + i * count, count, first, dropout.row_key(start + i), dropout.limit(), dropout.scale(),
                y + i * stride);
    };
}

// out [rank, width] = leftᵀ · D(x), for left [m, rank] and x [m, width].
void outer(const float *left, int64_t rank, const Matrix &x, const Dropout &dropout, float *out) {
    int64_t m = x.rows, width = x.columns;
    std::vector<float> turned(static_cast<size_t>(rank * m));
    for (int64_t i = 0; i < m; ++i)
        for (int64_t r = 0; r < rank; ++r) turned[r * m + i] = left[i * rank + r];
    parallel((width + kPanel - 1) / kPanel, [&](int64_t panel) {
        float *packed = scratch(m * kPanel);
        int64_t first = panel * kPanel, count = std::min(kPanel, width - first);
        pack_columns(x, first, count, packed);
        if (dropout.drops())
            for (int64_t i = 0; i < m; ++i)
                drop(
                    packed + i * kPanel, kPanel, first, dropout.row_key(i), dropout.limit(), dropout.scale(),
                    packed + i * kPanel);
        multiply(turned.data(), m, rank, packed, m, count, out + first, width, false);
    });
}

}  // namespace

at::Tensor adapted(const at::Tensor &x, const Weight &weight, const Adapter &adapter, at::Tensor &lowered) {
    const at::Tensor &down = adapter.down, &up = adapter.up;
    int64_t m = x.size(0), in = weight.columns(), out = weight.rows(), rank = down.size(0);
    at::Tensor y = empty_rows({m, out}, x.options());
    lowered = at::empty({m, rank}, down.options());
    if (m == 0) return y;
    auto *low = lowered.data_ptr<float>();
    const Dropout &dropout = adapter.dropout;
    lower(matrix_of(x), dropout, Panels(in, rank).rows(down.data_ptr<float>()).scaled(adapter.scaling), low);
    auto raising = Panels(rank, out).rows(up.data_ptr<float>());
    multiply(x, weight, false, y, raise(low, rank, raising, {}));
    return y;
}

AdaptedGradients adapted_backward(
    const at::Tensor &gradient, const at::Tensor &x, const at::Tensor &lowered, const Weight &weight,
    const Adapter &adapter, bool input) {
    const at::Tensor &down = adapter.down, &up = adapter.up;
    int64_t m = x.size(0), in = weight.columns(), out = weight.rows(), rank = down.size(0);
    const Dropout &dropout = adapter.dropout;
    AdaptedGradients result{{}, at::empty_like(down), at::empty_like(up)};
    std::vector<float> g(static_cast<size_t>(m * rank));
    lower(matrix_of(gradient), {}, Panels(out, rank).columns(up.data_ptr<float>()).scaled(adapter.scaling), g.data());
    if (input) {
        result.input = empty_rows({m, in}, x.options());
        auto raising = Panels(rank, in).columns(down.data_ptr<float>());
        multiply(gradient, weight, true, result.input, raise(g.data(), rank, raising, dropout));
    }
    outer(g.data(), rank, matrix_of(x), dropout, result.down.data_ptr<float>());
    std::vector<float> turned(static_cast<size_t>(rank * out));
    outer(lowered.data_ptr<float>(), rank, matrix_of(gradient), {}, turned.data());
    auto *up_gradient = result.up.data_ptr<float>();
    for (int64_t j = 0; j < out; ++j)
        for (int64_t r = 0; r < rank; ++r) up_gradient[j * rank + r] = turned[r * out + j];
    return result;
}

}  // namespace meno::product
