// Times products with frozen weights, and the head's loss, in shapes of real models: medians, each time with cold caches.

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "FrozenProduct.h"
#include "VocabularyLoss.h"

namespace {

void report(const char *name, int64_t rows, int64_t depth, int64_t width, const std::function<void()> &body) {
    at::Tensor other = at::ones({32 << 20}, at::kFloat);
    std::vector<double> seconds;
    for (int i = 0; i < 7; ++i) {
        other.add_(1);
        auto start = std::chrono::steady_clock::now();
        body();
        seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::nth_element(seconds.begin(), seconds.begin() + 3, seconds.end());
    double flops = 2.0 * static_cast<double>(rows * depth * width);
    std::printf(
        "%-28s %5ld rows, %5ld x %6ld: %8.2f ms, no more than %5.0f GFLOP/s\n", name, rows, depth, width, seconds[3] * 1e3,
        flops / seconds[3] / 1e9);
}

void product(int64_t rows, int64_t depth, int64_t width) {
    auto options = at::TensorOptions(at::kBFloat16);
    at::Tensor x = at::ones({rows, depth}, options), y = meno::product::empty_rows({rows, width}, options);
    at::Tensor weight = at::ones({width, depth}, options), backward = at::ones({depth, width}, options);
    report("forward", rows, depth, width, [&] { meno::product::multiply(x, weight, false, y); });
    report("gradient of the input", rows, depth, width, [&] { meno::product::multiply(x, backward, true, y); });
}

void head(int64_t rows, int64_t hidden, int64_t vocabulary, bool with_gradient) {
    using namespace meno::vocabulary;
    at::Tensor states = at::ones({rows, hidden}, at::kBFloat16), table = at::ones({vocabulary, hidden}, at::kBFloat16);
    at::Tensor gradient = at::zeros({rows, hidden}), centroids = at::zeros({vocabulary / kChunk + 1, hidden});
    std::vector<int64_t> targets(static_cast<size_t>(rows), 1);
    report(with_gradient ? "head, loss and gradient" : "head, loss", rows, hidden, vocabulary, [&] {
        Head head{
            meno::product::matrix_of(table), targets.data(), rows, 0, with_gradient ? 1e-6 : 0, centroids.data_ptr<float>(),
            with_gradient ? gradient.data_ptr<float>() : nullptr, std::vector<Row>(static_cast<size_t>(rows))};
        // As with a trained model: nearly all words are below the threshold.
        for (auto &row : head.state) row = {.reference = 0, .bound = 1e9};
        run_tiles(head, static_cast<const uint16_t *>(states.data_ptr()));
    });
}

}  // namespace

int main() {
    c10::InferenceMode guard;
    std::printf("%d threads\n", at::get_num_threads());
    // Gemma 3 270M, SmolLM2 135M and 360M, Llama 3.2 1B.
    for (auto [depth, width] : {std::pair{640, 2048}, {2048, 640}, {576, 1536}, {1536, 576}, {960, 2560}, {2560, 960},
                                {2048, 2048}, {2048, 8192}, {8192, 2048}})
        product(1024, depth, width);
    head(2000, 640, 262144, false);
    head(1000, 640, 262144, true);
    head(1000, 2048, 49152, true);
}
