// A frozen weight [rows, columns] as operators are given it: one tensor of values, or the parts of a packed matrix.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string_view>

#include "Packing.h"
#include "Product.h"

namespace meno::product {

class Weight {
  public:
    // One of values.
    Weight(const at::Tensor &values) : Weight(at::TensorList(values), "dense") {}
    // `format` is dense, or one of Packing.h.
    Weight(at::TensorList parts, std::string_view format);

    bool is_packed() const { return packed_.has_value(); }
    int64_t rows() const { return first_.size(0); }
    int64_t columns() const { return packed_ ? packed_->columns : first_.size(1); }
    at::Device device() const { return first_.device(); }
    // The tensor of one that is not packed.
    const at::Tensor &dense() const;
    // The matrix, for as long as this lives.
    Matrix matrix() const;
    // Rows first..<first + count as a contiguous tensor; those of a dense one in its own type, whatever `type` is.
    at::Tensor values(at::ScalarType type, int64_t first, int64_t count) const;
    at::Tensor values(at::ScalarType type) const { return values(type, 0, rows()); }
    // All values of a packed one, into a contiguous tensor [rows, columns].
    void decode(const at::Tensor &values) const;
    // Rows by their numbers (int64); of a dense one in its own type.
    at::Tensor values_at(at::ScalarType type, const at::Tensor &numbers) const;

  private:
    template <class Number>
    at::Tensor decoded(at::ScalarType type, int64_t count, const Number &number) const;
    template <class Number>
    void decode(const at::Tensor &result, const Number &number) const;

    at::Tensor first_;
    std::optional<packing::Packed> packed_;
};

}  // namespace meno::product
