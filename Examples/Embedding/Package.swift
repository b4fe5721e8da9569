// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "Embedding",
    platforms: [.macOS(.v15)],
    // Another package names Meno by its URL: .package(url: "https://example.com/meno", branch: "main")
    dependencies: [.package(name: "Meno", path: "../..")],
    targets: [
        .executableTarget(name: "Embedding", dependencies: [.product(name: "Meno", package: "Meno")])
    ]
)
