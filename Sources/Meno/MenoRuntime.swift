internal import Foundation
internal import MenoTensor

/// Preparation of the process, done once.
package enum MenoRuntime {
    package static let version = "0.1.0"

    /// Sets how libtorch allocates memory. Call it before anything is computed; only the first call
    /// has an effect.
    package static func prepare() { _ = prepared }

    private static let prepared: Void = {
        Torch.limitPrimitiveCaches()
        Torch.keepHostMemory()
    }()
}

/// libtorch has one random generator per device and process. Whoever seeds it and draws from it
/// holds this lock, so that models in one process do not change each other's numbers.
enum SharedGenerator {
    private static let lock = NSLock()

    static func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result { try lock.withLock(body) }
}
