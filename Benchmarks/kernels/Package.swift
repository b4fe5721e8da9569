// swift-tools-version: 6.1
import PackageDescription

// A package of its own, so that building and testing Meno needs nothing of it.

let package = Package(
    name: "KernelBenchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "Meno", path: "../.."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Kernels",
            dependencies: [
                .product(name: "MenoTensor", package: "Meno"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/Kernels",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ]
)
