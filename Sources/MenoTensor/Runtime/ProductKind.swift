internal import Foundation

/// The ways to multiply activations with frozen bfloat16 weights on the CPU. The fastest one is found by measuring.
package enum ProductKind: String, Sendable, CaseIterable {
    /// With the processor's matrix unit (AMX).
    case matrixUnit = "amx"
    /// With the processor's bfloat16 dot-product instructions.
    case dotProducts = "bfloat16"
    /// In float32, with weights converted during the product. Activations are float32.
    case widened = "float32"
    /// By libtorch, in bfloat16. It rounds before an adapter's change is added, which loses changes below half a unit in the last
    /// place, as in PEFT with a bfloat16 model. The other kinds add the change in float32 and round once.
    case library = "libtorch"
    /// Plain code in place of the matrix unit, for tests.
    case emulated

    /// Whether this processor supports it. Respects `ATEN_CPU_CAPABILITY`.
    package var isSupported: Bool { Kernels.answer { try Kernels.supportsProducts.ask(.string(rawValue)) } }

    /// The kind in use.
    package static var current: ProductKind {
        let kind = allCases.first { kind in
            Kernels.answer { try Kernels.usesProducts.ask(.string(kind.rawValue)) }
        }
        return kind ?? .library
    }

    /// Selects this kind. Call it before loading a model, since loaded models keep the type of their activations. It has no
    /// effect if `MENO_PRODUCTS` is set in the environment.
    package func use() throws { _ = try Kernels.useProducts(.string(rawValue)) }

    /// The kind that `MENO_PRODUCTS` in the environment selects, if set.
    package static var forced: ProductKind? {
        ProcessInfo.processInfo.environment["MENO_PRODUCTS"].flatMap(ProductKind.init)
    }

    /// The type of activations.
    private var activations: DType { self == .widened ? .float32 : .bfloat16 }

    /// The kinds to choose from: Meno's, or libtorch's if the processor supports none of them.
    package static var candidates: [ProductKind] {
        let own: [ProductKind] = [.matrixUnit, .dotProducts, .widened].filter(\.isSupported)
        return own.isEmpty ? [.library] : own
    }

    /// Multiplies 192 rows with a weight of 1,024 × 1,024 and with its transpose with each kind in turn, several times, which
    /// takes about 10 ms on two threads. Does not change the kind in use.
    /// - Returns: the shortest time of each, in seconds.
    package static func measure(_ kinds: [ProductKind], rounds: Int = 4) throws -> [(
        kind: ProductKind, seconds: Double
    )] {
        let before = current
        defer { try? before.use() }
        let (rows, size) = (192, 1024)
        let weight = FrozenMatrix(try Tensor.full([size, size], 1 / 64, dtype: .bfloat16))
        let inputs = try [DType.float32, .bfloat16].map { try Tensor.full([rows, size], 1 / 8, dtype: $0) }
        var least = [Double](repeating: .infinity, count: kinds.count)
        for _ in 0..<rounds {
            for (index, kind) in kinds.enumerated() {
                try kind.use()
                let input = kind.activations == .float32 ? inputs[0] : inputs[1]
                let elapsed = try ContinuousClock().measure {
                    _ = try input.product(weight, transposed: false)
                    _ = try input.product(weight, transposed: true)
                }
                least[index] = min(least[index], elapsed / .seconds(1))
            }
        }
        return zip(kinds, least).map { ($0, $1) }
    }

    /// The number of floating-point operations in one round.
    package static let measuredOperations = 2.0 * 2 * 192 * 1024 * 1024

    /// The kind to use: the first in the order above, or the previous one, unless another is at least 10 % faster. This margin
    /// makes repeated measurements agree although none is exact.
    package static func choice(
        _ measured: [(kind: ProductKind, seconds: Double)], incumbent: ProductKind? = nil
    ) -> ProductKind? {
        guard let fastest = measured.min(by: { $0.seconds < $1.seconds }) else { return nil }
        let kept = measured.first { $0.kind == incumbent } ?? measured[0]
        return fastest.seconds * 1.1 <= kept.seconds ? fastest.kind : kept.kind
    }
}
