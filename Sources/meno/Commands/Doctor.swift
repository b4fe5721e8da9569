import ArgumentParser
import Foundation
import MenoTensor
import MenoTraining

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows what this machine offers, and what is missing.")

    func run() throws {
        print("libtorch       \(Torch.version), CPU kernels \(Torch.cpuCapability), \(Torch.threadCount) threads")
        print("CUDA devices   \(Device.count(of: .cuda))")
        print("MPS devices    \(Device.count(of: .mps))")
        print("memory         \(ProcessInfo.processInfo.physicalMemory >> 20) MiB in the machine")
        print("product        \(try productSpeed())")
        print("cache          \(Installation.cache.path), \(freeSpace())")
        for model in CatalogueModel.all {
            print(
                "model          \(model.name): \(model.isFetched ? "fetched" : "missing (meno models fetch \(model.name))")"
            )
        }
        print("checkout       \(Installation.root?.path ?? "not found: demo and models fetch will not work")")
    }

    private func freeSpace() -> String {
        let attributes = try? FileManager.default.attributesOfFileSystem(
            forPath: FileManager.default.fileExists(atPath: Installation.cache.path) ? Installation.cache.path : "/")
        guard let free = attributes?[.systemFreeSize] as? Int else { return "free space unknown" }
        return "\(free >> 20) MiB free"
    }

    /// The speed of a bf16 matrix product on the CPU.
    private func productSpeed() throws -> String {
        let size = 2048
        let matrix = try Tensor.zeros([size, size]).to(.bfloat16)
        _ = try matrix.linear(matrix)
        let clock = ContinuousClock()
        let elapsed = try clock.measure { for _ in 0..<5 { _ = try matrix.linear(matrix) } }
        let seconds = Double(elapsed.components.attoseconds) * 1e-18 + Double(elapsed.components.seconds)
        return "\(Int(5 * 2 * pow(Double(size), 3) / seconds / 1e9)) GFLOP/s in bfloat16"
    }
}
