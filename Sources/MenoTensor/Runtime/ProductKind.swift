internal import Foundation

/// The ways in which the CPU multiplies activations with frozen weights in bfloat16. Which is the fastest is measured.
package enum ProductKind: String, Sendable, CaseIterable {
    /// On the processor's matrix unit (AMX).
    case matrixUnit = "amx"
    /// By the processor's bfloat16 dot products.
    case dotProducts = "bfloat16"
    /// In float32, with weights that are widened on the way: activations are float32.
    case widened = "float32"
    /// By libtorch, in bfloat16. It rounds before an adapter's change is added, so that changes below half of the last digit
    /// are lost, as in PEFT with a model in bfloat16; the others add it in float32 and round once.
    case library = "libtorch"
    /// Plain code in the matrix unit's place, for tests.
    case emulated

    /// Whether this processor has what it takes. Follows `ATEN_CPU_CAPABILITY`.
    package var isSupported: Bool { Kernels.answer { try Kernels.supportsProducts.ask(.string(rawValue)) } }

    /// The one in use.
    package static var current: ProductKind {
        let kind = allCases.first { kind in
            Kernels.answer { try Kernels.usesProducts.ask(.string(kind.rawValue)) }
        }
        return kind ?? .library
    }

    /// Makes it the one in use. Models that are loaded already keep the type of their activations; call it before loading.
    /// Without effect where `MENO_PRODUCTS` is set in the environment.
    package func use() throws { _ = try Kernels.useProducts(.string(rawValue)) }

    /// What `MENO_PRODUCTS` in the environment says.
    package static var forced: ProductKind? {
        ProcessInfo.processInfo.environment["MENO_PRODUCTS"].flatMap(ProductKind.init)
    }

    /// What it multiplies bfloat16 weights with.
    private var activations: DType { self == .widened ? .float32 : .bfloat16 }

    /// Those that are chosen from: this project's own, or libtorch's where the processor has none of them.
    package static var candidates: [ProductKind] {
        let own: [ProductKind] = [.matrixUnit, .dotProducts, .widened].filter(\.isSupported)
        return own.isEmpty ? [.library] : own
    }

    /// Multiplies 192 rows with a weight of 1,024 × 1,024 and with its transpose by each kind, in turn, several times: some
    /// 10 ms on two threads. The kind in use is the same afterwards.
    /// - Returns: the least time that each took, in seconds.
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

    /// The operations of one measured round.
    package static let measuredOperations = 2.0 * 2 * 192 * 1024 * 1024

    /// What to use from now on: the first of the order above, or the one in use before, unless another is at least 10 % faster.
    /// Two measurements then agree though neither is exact.
    package static func choice(
        _ measured: [(kind: ProductKind, seconds: Double)], incumbent: ProductKind? = nil
    ) -> ProductKind? {
        guard let fastest = measured.min(by: { $0.seconds < $1.seconds }) else { return nil }
        let kept = measured.first { $0.kind == incumbent } ?? measured[0]
        return fastest.seconds * 1.1 <= kept.seconds ? fastest.kind : kept.kind
    }
}
