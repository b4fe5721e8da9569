#include "AdaptedProduct.h"

#include <algorithm>
#include <vector>

#include "Parallel.h"

namespace meno::product {

namespace {

MENO_VECTOR_CLONES void drop(
    const float *from, int64_t n, int64_t first, uint64_t row_key, uint32_t limit, float scale, float *to) {
    drop_row<false>(from, n, first, row_key, limit, scale, to);
}
MENO_VECTOR_CLONES void add_dropped(
    const float *from, int64_t n, int64_t first, uint64_t row_key, uint32_t limit, float scale, float *to) {
    drop_row<true>(from, n, first, row_key, limit, scale, to);
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
void lower(const float *x, int64_t m, int64_t depth, const Dropout &dropout, const Panels &panels, float *out) {
    int64_t rows = rows_of_block(m), width = panels.width();
    parallel((m + rows - 1) / rows, [&](int64_t block) {
        int64_t start = block * rows, here = std::min(rows, m - start);
        const float *from = x + start * depth;
        thread_local std::vector<float> dropped;
        if (dropout.drops()) {
            dropped.resize(static_cast<size_t>(here * depth));
            for (int64_t i = 0; i < here; ++i)
                drop(
                    from + i * depth, depth, 0, dropout.row_key(start + i), dropout.limit(), dropout.scale(),
                    dropped.data() + i * depth);
            from = dropped.data();
        }
        panels.multiply(from, here, 0, width, out + start * width, width, false);
    });
}

// out [rank, width] = leftᵀ · D(x), for left [m, rank] and x [m, width].
void outer(const float *left, int64_t rank, const float *x, int64_t m, int64_t width, const Dropout &dropout, float *out) {
    std::vector<float> turned(static_cast<size_t>(rank * m));
    for (int64_t i = 0; i < m; ++i)
        for (int64_t r = 0; r < rank; ++r) turned[r * m + i] = left[i * rank + r];
    parallel((width + kPanel - 1) / kPanel, [&](int64_t panel) {
        float *packed = scratch(m * kPanel);
        int64_t first = panel * kPanel, count = std::min(kPanel, width - first);
        pack_columns({x, Type::float32, m, width}, first, count, packed);
        if (dropout.drops())
            for (int64_t i = 0; i < m; ++i)
                drop(
                    packed + i * kPanel, kPanel, first, dropout.row_key(i), dropout.limit(), dropout.scale(),
                    packed + i * kPanel);
        multiply(turned.data(), m, rank, packed, m, count, out + first, width, false);
    });
}

}  // namespace

void adapted(const float *x, int64_t m, const Matrix &weight, const Adapter &adapter, float *lowered, float *y) {
    int64_t rank = adapter.rank, width = weight.rows;
    lower(
        x, m, weight.columns, adapter.dropout, Panels(weight.columns, rank).rows(adapter.down).scaled(adapter.scaling),
        lowered);
    auto up = Panels(rank, width).rows(adapter.up);
    multiply(x, m, weight, false, y, [&](int64_t start, int64_t rows, int64_t first, int64_t count) {
        up.multiply(lowered + start * rank, rows, first, count, y + start * width + first, width, true);
    });
}

void adapted_backward(
    const float *y_gradient, const float *x, const float *lowered, int64_t m, const Matrix &weight, const Adapter &adapter,
    float *x_gradient, float *down_gradient, float *up_gradient) {
    int64_t rank = adapter.rank, in = weight.columns, out = weight.rows;
    const Dropout &dropout = adapter.dropout, none{};
    std::vector<float> g(static_cast<size_t>(m * rank));
    lower(y_gradient, m, out, none, Panels(out, rank).columns(adapter.up).scaled(adapter.scaling), g.data());
    if (x_gradient) {
        auto down = Panels(rank, in).columns(adapter.down);
        multiply(y_gradient, m, weight, true, x_gradient, [&](int64_t start, int64_t rows, int64_t first, int64_t count) {
            float *to = x_gradient + start * in + first;
            if (!dropout.drops()) return down.multiply(g.data() + start * rank, rows, first, count, to, in, true);
            thread_local std::vector<float> raised;
            raised.resize(static_cast<size_t>(rows * count));
            down.multiply(g.data() + start * rank, rows, first, count, raised.data(), count, false);
            for (int64_t i = 0; i < rows; ++i)
                add_dropped(
                    raised.data() + i * count, count, first, dropout.row_key(start + i), dropout.limit(), dropout.scale(),
                    to + i * in);
        });
    }
    outer(g.data(), rank, x, m, in, dropout, down_gradient);
    std::vector<float> turned(static_cast<size_t>(rank * out));
    outer(lowered, rank, y_gradient, m, out, none, turned.data());
    for (int64_t j = 0; j < out; ++j)
        for (int64_t r = 0; r < rank; ++r) up_gradient[j * rank + r] = turned[r * out + j];
}

}  // namespace meno::product
