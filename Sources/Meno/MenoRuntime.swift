internal import Foundation
internal import MenoTensor

/// What the process is prepared with, once.
package enum MenoRuntime {
    package static let version = "0.1.0"

    /// Sets how libtorch keeps memory, before anything is computed. The first call counts.
    package static func prepare() { _ = prepared }

    private static let prepared: Void = {
        Torch.limitPrimitiveCaches()
        Torch.keepHostMemory()
    }()
}

/// libtorch has one random generator for each device of a process. Whoever seeds it and then draws keeps others out meanwhile,
/// so that models in one process do not change each other's numbers.
enum SharedGenerator {
    private static let lock = NSLock()

    static func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result { try lock.withLock(body) }
}
