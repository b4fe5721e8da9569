import ArgumentParser
import Foundation
import Meno
import MenoHub
import MenoTensor
import MenoTraining

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Describes this machine and reports what is missing.")

    func run() throws {
        print("libtorch       \(Torch.version), CPU kernels \(Torch.cpuCapability), \(Torch.threadCount) threads")
        print("CUDA devices   \(Device.count(of: .cuda))\(kernels)")
        print("MPS devices    \(Device.count(of: .mps))")
        print("memory         \(ProcessInfo.processInfo.physicalMemory >> 20) MiB in the machine")
        print("products       \(try products())")
        print("processes      \(communication)")
        print("cache          \(CatalogModel.cache.path), \(freeSpace())")
        for model in CatalogModel.all {
            print(
                "model          \(model.name): \(model.isFetched ? "fetched" : "missing (meno models fetch \(model.name))")"
            )
        }
        tellHub()
        print("examples       \(Installation.root?.path ?? "not found: `meno demo` needs them, set MENO_ROOT")")
    }

    /// Settings of the Hugging Face Hub. Makes no network request.
    private func tellHub() {
        do {
            let settings = try HubSettings()
            let models = CachedModel.all(in: settings.cache)
            let size = ByteText.english(models.reduce(0) { $0 + $1.size })
            let free = settings.freeSpace.map { ", \(ByteText.english($0)) free" } ?? ""
            print("hub cache      \(settings.cache.path), \(models.count) models, \(size)\(free)")
            let token = settings.token.map { "token of \($0.source)" } ?? "no token"
            print("certificates   \(settings.certificates ?? "those of the system")")
            print(
                "hub            \(settings.endpoint), \(settings.offlineBecause.map { "offline by \($0)" } ?? "online"), \(token)"
            )
        } catch {
            print("hub            cannot be used: \(error)")
        }
    }

    /// How several processes can communicate, tested on this machine.
    private var communication: String {
        do {
            let place = ProcessGroup.Rendezvous(
                host: "127.0.0.1", port: 0, hostsStore: true, prefix: "doctor", address: "127.0.0.1")
            try ProcessGroup(rank: 0, size: 1, at: place).barrier()
        } catch {
            return "Gloo does not work here: \(error)"
        }
        let interface = ProcessInfo.processInfo.environment["GLOO_SOCKET_IFNAME"].flatMap { $0.isEmpty ? nil : $0 }
        return "Gloo over TCP; other machines reach this one by "
            + (interface.map { "interface \($0) (GLOO_SOCKET_IFNAME)" }
                ?? "the address of its name, \(ProcessInfo.processInfo.hostName), or GLOO_SOCKET_IFNAME")
    }

    /// Whether the GPU has this project's kernels: without them everything works, and is slower.
    private var kernels: String {
        guard Device.count(of: .cuda) > 0 else { return "" }
        return Device.cuda.kernelFault.map { ", without fused kernels: \($0)" } ?? ", with fused kernels"
    }

    private func freeSpace() -> String {
        let attributes = try? FileManager.default.attributesOfFileSystem(
            forPath: FileManager.default.fileExists(atPath: CatalogModel.cache.path) ? CatalogModel.cache.path : "/")
        guard let free = attributes?[.systemFreeSize] as? Int else { return "free space unknown" }
        return "\(free >> 20) MiB free"
    }

    /// The speed of products with frozen weights in bfloat16 by each kind, and the one in use.
    private func products() throws -> String {
        if let forced = ProductKind.forced { return "\(forced.rawValue) is in use (MENO_PRODUCTS)" }
        let (kind, speeds) = try ProductChoice().measured()
        let list = speeds.map { "\($0.kind.rawValue) \(Int($0.speed.rounded())) GFLOP/s" }.joined(separator: ", ")
        return "\(list); \(kind.rawValue) is in use"
    }
}
