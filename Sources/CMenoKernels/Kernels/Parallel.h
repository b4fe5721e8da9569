// Work shared out over libtorch's own threads.
//
// at::parallel_for is a template that is serial unless this code, too, is compiled for the OpenMP that libtorch was
// compiled for. TensorIterator's loop is inside the library, whatever its threads are.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>

namespace meno {

// Calls body(i) once for each i of 0..<count, on as many threads as libtorch has; each takes the next i when it is done
// with one. No result may depend on which thread it runs on. What `body` throws is thrown here, when all threads have ended.
template <class Body>
void parallel(int64_t count, const Body &body) {
    int64_t workers = std::min<int64_t>(count, at::get_num_threads());
    if (workers <= 1 || at::in_parallel_region()) {
        for (int64_t i = 0; i < count; ++i) body(i);
        return;
    }
    std::atomic<int64_t> next{0};
    at::Tensor places = at::empty({workers}, at::kByte);
    auto iterator = at::TensorIterator::nullary_op(places);
    iterator.for_each(
        [&](char **, const int64_t *, int64_t, int64_t) {
            for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) body(i);
        },
        /*grain_size=*/1);
}

// The same for ranges of rows: body(begin, end), about four ranges a thread, none shorter than `least`.
template <class Body>
void parallel_rows(int64_t rows, int64_t least, const Body &body) {
    int64_t pieces = std::max<int64_t>(1, std::min<int64_t>(rows / std::max<int64_t>(1, least), 4 * at::get_num_threads()));
    int64_t size = (rows + pieces - 1) / pieces;
    parallel(rows > 0 ? (rows + size - 1) / size : 0, [&](int64_t i) {
        body(i * size, std::min(rows, (i + 1) * size));
    });
}

// Divides n rows as evenly as possible in multiples of a unit, such as the blocks of a product.
struct Shares {
    int64_t n, unit, count;

    int64_t begin(int64_t share) const { return std::min(n, (n + unit - 1) / unit * share / count * unit); }
    int64_t size(int64_t share) const { return begin(share + 1) - begin(share); }
};

}  // namespace meno
