import Benchmark
import MenoTensor

extension BenchmarkMetric {
    /// The time of this project's kernel for 100 of libtorch's operators that compute the same: a measure that says the same
    /// on a fast and on a slow machine.
    static var shareOfLibtorch: BenchmarkMetric { .custom("% of libtorch's time", polarity: .prefersSmaller) }
}

/// Registers a benchmark that times both in turn in every iteration, forward and backward where there is a backward.
///
/// `Thresholds` keeps what nine of ten iterations stay below; a third more is a regression.
/// - Parameter name: also that of its file there, so without spaces.
func compare(_ name: String, ours: @escaping () throws -> Void, libtorch: @escaping () throws -> Void) {
    Benchmark(
        name,
        configuration: .init(
            metrics: [.shareOfLibtorch], warmupIterations: 3, maxDuration: .seconds(6), maxIterations: 200,
            thresholds: [.shareOfLibtorch: .init(relative: [.p90: 33])])
    ) { benchmark in
        do {
            let clock = ContinuousClock()
            let mine = try clock.measure(ours)
            let theirs = try clock.measure(libtorch)
            benchmark.measurement(.shareOfLibtorch, Int((100 * (mine / theirs)).rounded()))
        } catch {
            benchmark.error("\(error)")
        }
    }
}

/// The gradient of a sum with respect to some leaves, thrown away.
func backward(_ output: Tensor, _ leaves: [Tensor]) throws {
    try output.backward(gradient: Tensor.ones(output.shape).to(output.dtype))
    for leaf in leaves { try leaf.setGradient(nil) }
}
