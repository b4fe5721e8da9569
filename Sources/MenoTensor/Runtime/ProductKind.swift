internal import Foundation

/// How the CPU multiplies activations with frozen bfloat16 weights. The fastest way is found by measuring.
package enum ProductKind: String, Sendable, CaseIterable {
    /// With the processor's matrix unit (AMX).
    case matrixUnit = "amx"
    /// With the processor's bfloat16 dot products.
    case dotProducts = "bfloat16"
    /// In float32, with weights widened on the fly; activations are float32.
    case widened = "float32"
    /// With libtorch, in bfloat16. It rounds before adding an adapter's change, so changes below half of the last
    /// digit are lost, as in PEFT with a bfloat16 model. The other kinds add it in float32 and round once.
    case library = "libtorch"
    /// Plain code in place of the matrix unit, for tests.
    case emulated

    /// Whether this processor supports it. Follows `ATEN_CPU_CAPABILITY`.
    package var isSupported: Bool { Kernels.answer { try Kernels.supportsProducts.ask(.string(rawValue)) } }

    /// The kind in use.
    package static var current: ProductKind {
        let kind = allCases.first { kind in
            Kernels.answer { try Kernels.usesProducts.ask(.string(kind.rawValue)) }
        }
        return kind ?? .library
    }

    /// Selects the kind to use. Call it before loading models, since loaded models keep the type of their
    /// activations. It has no effect if `MENO_PRODUCTS` is set in the environment.
    package func use() throws { _ = try Kernels.useProducts(.string(rawValue)) }

    /// The kind in the environment variable `MENO_PRODUCTS`.
    package static var forced: ProductKind? {
        ProcessInfo.processInfo.environment["MENO_PRODUCTS"].flatMap(ProductKind.init)
    }

    /// What it multiplies bfloat16 weights with.
    private var activations: DType { self == .widened ? .float32 : .bfloat16 }

    /// The kinds to choose from: Meno's, or libtorch's if the processor supports none of them.
    package static var candidates: [ProductKind] {
        let own: [ProductKind] = [.matrixUnit, .dotProducts, .widened].filter(\.isSupported)
        return own.isEmpty ? [.library] : own
    }

    /// Multiplies 192 rows with a 1,024 × 1,024 weight and its transpose with each kind in turn, several times: about
    /// 10 ms on two threads. The kind in use does not change.
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

    /// The number of operations in a measured round.
    package static let measuredOperations = 2.0 * 2 * 192 * 1024 * 1024

    /// The kind to use from now on: the first in the order above, or the one used before, unless another is at least
    /// 10 % faster. The margin makes two inexact measurements agree.
    package static func choice(
        _ measured: [(kind: ProductKind, seconds: Double)], incumbent: ProductKind? = nil
    ) -> ProductKind? {
        guard let fastest = measured.min(by: { $0.seconds < $1.seconds }) else { return nil }
        let kept = measured.first { $0.kind == incumbent } ?? measured[0]
        return fastest.seconds * 1.1 <= kept.seconds ? fastest.kind : kept.kind
    }
}
