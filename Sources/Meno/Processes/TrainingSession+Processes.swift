internal import Foundation
internal import MenoConfiguration
internal import MenoModels
internal import MenoTensor
internal import MenoTraining

extension TrainingSession {
    /// The device of this process: on each machine, one GPU per process.
    static func device(_ configuration: RunConfiguration, _ processes: ProcessGroup) throws -> Device {
        let device = try configuration.usesNoCUDA ? .cpu : configuration.model.device.device()
        guard device.kind == .cuda, processes.localSize > 1 else { return device }
        let count = Device.count(of: .cuda)
        guard processes.localRank < count else {
            throw ConfigurationError(
                .invalid, at: "rank \(processes.rank)",
                "has no GPU: it is process \(processes.localRank + 1) on this machine, which has \(count).",
                advice: "Start at most one process per GPU, or train on the CPU.", settings: [.device])
        }
        return Device(.cuda, index: processes.localRank)
    }

    /// All processes use the kind of product that rank 0 has chosen, and then share the processor's
    /// threads.
    static func settle(_ processes: ProcessGroup, chooseProducts: () throws -> Void) throws {
        if processes.isFirst { try chooseProducts() }
        guard processes.size > 1 else { return }
        let kind = try processes.gather(ProductKind.current.rawValue)[0]
        if let kind = ProductKind(rawValue: kind), kind.isSupported { try kind.use() }
        MemoryLimit.share(among: processes.localSize)
        // A number of threads that is set applies to each process, as with torchrun.
        guard ProcessInfo.processInfo.environment["OMP_NUM_THREADS"] == nil else { return }
        Torch.threadCount = max(1, Torch.threadCount / processes.localSize)
    }

    /// - Throws: ``ConfigurationError`` if the processes do not belong to the same run.
    func checkWorld(settings: [String: String], data: String, checkpoint: URL?) throws {
        guard processes.size > 1 else { return }
        var world = WorldCheck()
        world.add("the program's version", MenoRuntime.version)
        world.add("libtorch", Torch.version)
        world.add("the kernels", "\(Torch.cpuCapability), \(ProductKind.current.rawValue), \(model.decoder.precision)")
        world.add("the data file", data)
        world.add("the model's files", WorldCheck.mark(ofModel: model.url))
        world.add(settings)
        world.add(
            Dictionary(
                uniqueKeysWithValues: configuration.yaml.split(separator: "\n").enumerated().map { number, line in
                    ("line \(number + 1) of the configuration", String(line))
                }))
        world.add("the checkpoint", checkpoint.map(Self.mark) ?? "none")
        try world.compare(processes)
    }

    private static func mark(ofCheckpoint url: URL) -> String {
        let manifest = try? FileDigest(of: url.appending(path: "manifest.json")).sha256
        return "\(url.lastPathComponent) \(manifest ?? "")"
    }
}
