// swift-tools-version: 6.1
import PackageDescription

// Documentation/architecture.md describes the targets and which of them may import which.
// Targets that do not need libtorch can be built and tested without it.

let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "Meno",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "meno", targets: ["MenoCommandLine"]),
        .library(name: "Meno", targets: ["Meno"]),
        .library(name: "MenoFormats", targets: ["MenoFormats"]),
        .library(name: "MenoHub", targets: ["MenoHub"]),
        .library(name: "MenoTokenizers", targets: ["MenoTokenizers"]),
        .library(name: "MenoData", targets: ["MenoData"]),
        .library(name: "MenoTensor", targets: ["MenoTensor"]),
        .library(name: "MenoModels", targets: ["MenoModels"]),
        .library(name: "MenoExport", targets: ["MenoExport"]),
        .library(name: "MenoMetrics", targets: ["MenoMetrics"]),
        .library(name: "MenoMonitor", targets: ["MenoMonitor"]),
        .library(name: "MenoTraining", targets: ["MenoTraining"]),
        .library(name: "MenoReporting", targets: ["MenoReporting"]),
        .library(name: "MenoDashboard", targets: ["MenoDashboard"]),
        .library(name: "MenoConfiguration", targets: ["MenoConfiguration"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        // libtorch
        .systemLibrary(name: "CLibTorch", pkgConfig: "libtorch"),
        .target(
            name: "CTorch", dependencies: ["CLibTorch"],
            cxxSettings: [
                .define("_GLIBCXX_USE_CXX11_ABI", to: "1"),
                // Declarations of Gloo, whose headers are not part of libtorch.
                .headerSearchPath("Distributed"),
            ]),
        .target(
            name: "CMenoKernels", dependencies: ["CLibTorch"],
            // Compiled at run time; Accelerator/DeviceCode.cpp embeds its text.
            exclude: ["Accelerator/Layers.cu"],
            cxxSettings: [.define("_GLIBCXX_USE_CXX11_ABI", to: "1")]),
        .target(
            name: "MenoTensor", dependencies: ["CTorch", "CMenoKernels", "MenoErrors"], swiftSettings: swiftSettings),

        // The common form of errors
        .target(name: "MenoErrors", swiftSettings: swiftSettings),

        // Files, text and data: no libtorch
        .target(name: "MenoFormats", dependencies: ["MenoErrors"], swiftSettings: swiftSettings),
        .target(name: "MenoJinja", swiftSettings: swiftSettings),
        .target(
            name: "MenoTokenizers", dependencies: ["MenoJinja", "MenoFormats", "MenoErrors"],
            swiftSettings: swiftSettings),
        .target(
            name: "MenoData", dependencies: ["MenoTokenizers", "MenoFormats", "MenoErrors"],
            swiftSettings: swiftSettings),

        // Download of models by Hugging Face id: no libtorch
        .target(
            name: "MenoHub",
            dependencies: [
                "MenoFormats", "MenoErrors",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: swiftSettings),

        // Events of a run, and decisions based on them: no libtorch
        .target(name: "MenoMetrics", swiftSettings: swiftSettings),
        .target(
            name: "MenoMonitor", dependencies: ["MenoMetrics", "MenoFormats", "MenoErrors"],
            swiftSettings: swiftSettings),
        .target(
            name: "MenoReporting", dependencies: ["MenoMetrics", "MenoMonitor", "MenoFormats", "MenoErrors"],
            swiftSettings: swiftSettings),

        // Trackers: no libtorch
        .target(
            name: "MenoTracking",
            dependencies: [
                "MenoHub", "MenoFormats", "MenoMetrics", "MenoMonitor", "MenoErrors",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings),

        .target(
            name: "MenoDashboard",
            dependencies: [
                "MenoReporting", "MenoMonitor", "MenoMetrics", logging,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),

        // Models and their training
        .target(
            name: "MenoModels", dependencies: ["MenoTensor", "MenoFormats", "MenoErrors"], swiftSettings: swiftSettings),
        .target(
            name: "MenoExport",
            dependencies: ["MenoModels", "MenoTensor", "MenoTokenizers", "MenoFormats", "MenoErrors"],
            swiftSettings: swiftSettings),
        .target(
            name: "MenoTraining",
            dependencies: [
                "MenoModels", "MenoTensor", "MenoFormats", "MenoData", "MenoMetrics", "MenoErrors", logging,
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings),

        .target(
            name: "MenoConfiguration",
            dependencies: [
                "MenoTraining", "MenoModels", "MenoTensor", "MenoData", "MenoFormats", "MenoMonitor", "MenoErrors",
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swiftSettings),

        // The library that programs import
        .target(
            name: "Meno",
            dependencies: [
                "MenoConfiguration", "MenoTraining", "MenoExport", "MenoModels", "MenoTensor", "MenoData",
                "MenoTokenizers",
                "MenoFormats", "MenoHub", "MenoReporting", "MenoTracking", "MenoMonitor", "MenoMetrics", "MenoErrors",
                logging,
            ],
            swiftSettings: swiftSettings),

        // The program. Its target is not called `meno`, which would clash with `Meno` on case-insensitive file systems.
        .executableTarget(
            name: "MenoCommandLine",
            dependencies: [
                "Meno", "MenoConfiguration", "MenoTraining", "MenoExport", "MenoModels", "MenoTensor", "MenoData",
                "MenoTokenizers",
                "MenoFormats", "MenoHub", "MenoReporting", "MenoTracking", "MenoDashboard", "MenoMonitor",
                "MenoMetrics", "MenoErrors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                logging,
            ],
            swiftSettings: swiftSettings),

        // Tests
        .target(
            name: "MenoTesting", dependencies: ["MenoTensor"], path: "Tests/MenoTesting", swiftSettings: swiftSettings),
        .target(name: "KernelEmulation", dependencies: ["CMenoKernels"], path: "Tests/KernelEmulation"),
        .testTarget(
            name: "MenoTensorTests", dependencies: ["MenoTensor", "KernelEmulation", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoFormatsTests", dependencies: ["MenoFormats", "MenoTesting"], swiftSettings: swiftSettings),
        .target(
            name: "HubServer",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/HubServer", swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoHubTests", dependencies: ["MenoHub", "HubServer", "MenoTesting"], swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoJinjaTests", dependencies: ["MenoJinja", "MenoTesting"], swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoTokenizersTests", dependencies: ["MenoTokenizers", "MenoJinja", "MenoFormats", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoDataTests", dependencies: ["MenoData", "MenoFormats", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoMonitorTests", dependencies: ["MenoMonitor", "MenoMetrics", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoReportingTests", dependencies: ["MenoReporting", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoTrackingTests",
            dependencies: [
                "MenoTracking", "MenoTesting",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoDashboardTests", dependencies: ["MenoDashboard", "MenoReporting", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoModelsTests", dependencies: ["MenoModels", "MenoFormats", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoExportTests",
            dependencies: ["MenoExport", "MenoModels", "MenoTensor", "MenoTokenizers", "MenoFormats", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoTrainingTests",
            dependencies: ["MenoTraining", "MenoModels", "MenoFormats", "MenoReporting", "MenoMonitor", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoConfigurationTests", dependencies: ["MenoConfiguration", "MenoModels", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoTests",
            dependencies: ["Meno", "MenoConfiguration", "MenoData", "MenoMetrics", "MenoTensor", "MenoTesting"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MenoCommandLineTests",
            dependencies: ["MenoCommandLine", "MenoTensor", "MenoHub", "HubServer", "MenoTesting"],
            swiftSettings: swiftSettings),
    ],
    cxxLanguageStandard: .cxx20
)
