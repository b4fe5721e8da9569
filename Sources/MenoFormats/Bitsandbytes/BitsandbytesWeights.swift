internal import Dispatch

/// Safetensors in which bitsandbytes has quantised matrices (`…-bnb-4bit`): each matrix appears as one tensor with its shape and
/// the values that bitsandbytes dequantises to, bit for bit.
package final class BitsandbytesWeights: WeightSource {
    package let weights: [WeightInfo]
    private let tensors: any SafetensorsTensors
    private let plain: any WeightSource
    private let quantized: [String: QuantizedMatrix]
    private let indices: [String: Int]

    /// The number of values that one task decodes.
    private static let taskElements = 1 << 18

    /// Reads and checks every quantisation state.
    /// - Returns: `nil` if nothing is quantised.
    init?(_ source: any WeightSource & SafetensorsTensors) throws {
        (tensors, plain) = (source, source)
        var quantized: [String: QuantizedMatrix] = [:]
        for info in source.weights where !BitsandbytesState.isPart(info.name) {
            quantized[info.name] = try BitsandbytesState(name: info.name, tensors: source).matrix()
        }
        guard !quantized.isEmpty else { return nil }
        self.quantized = quantized
        weights = source.weights.filter { !BitsandbytesState.isPart($0.name) }.map { info in
            guard let matrix = quantized[info.name] else { return info }
            return WeightInfo(name: info.name, shape: matrix.shape, storage: Self.storage(info.name, source))
        }
        indices = Dictionary(weights.enumerated().map { ($1.name, $0) }) { first, _ in first }
    }

    private static func storage(_ name: String, _ tensors: any SafetensorsTensors) -> String {
        for kind in ["nf4", "fp4"] where tensors.tensor(named: name + BitsandbytesState.stateMarker + kind) != nil {
            return kind.uppercased()
        }
        return "INT8"
    }

    package func weight(named name: String) -> WeightInfo? { indices[name].map { weights[$0] } }

    /// The quantised form of a matrix; `nil` if it is not quantised or does not exist.
    package func matrix(named name: String) -> QuantizedMatrix? { quantized[name] }

    /// Copies the codes of a quantised matrix.
    /// - Parameter destination: exactly ``QuantizedMatrix/codeBytes``.
    package func readCodes(_ name: String, into destination: UnsafeMutableRawBufferPointer) throws {
        try tensors.copy(name, into: destination)
    }

    package func read(
        _ name: String, elements: Range<Int>, as elementType: WeightElementType,
        into destination: UnsafeMutableRawBufferPointer
    ) throws {
        guard let matrix = quantized[name], let info = weight(named: name) else {
            return try plain.read(name, elements: elements, as: elementType, into: destination)
        }
        try info.check(elements, destination, as: elementType, path: tensors.path(of: name))
        guard !elements.isEmpty, let output = destination.baseAddress else { return }
        try tensors.withUnsafeBytes(of: name) { codes in
            let work = Work(codes: codes, output: output, first: elements.lowerBound)
            let tasks = (elements.count - 1) / Self.taskElements + 1
            DispatchQueue.concurrentPerform(iterations: tasks) { task in
                let begin = elements.lowerBound + task * Self.taskElements
                work.decode(matrix, begin..<min(begin + Self.taskElements, elements.upperBound), as: elementType)
            }
        }
    }

    private struct Work: @unchecked Sendable {
        let codes: UnsafeRawBufferPointer
        let output: UnsafeMutableRawPointer
        let first: Int

        func decode(_ matrix: QuantizedMatrix, _ elements: Range<Int>, as elementType: WeightElementType) {
            let stride = 2048
            withUnsafeTemporaryAllocation(of: Float.self, capacity: stride) { buffer in
                for begin in Swift.stride(from: elements.lowerBound, to: elements.upperBound, by: stride) {
                    let count = min(stride, elements.upperBound - begin)
                    let values = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
                    matrix.factors(of: begin..<begin + count).withUnsafeBufferPointer {
                        matrix.decode(codes, factors: $0, from: begin, into: values)
                    }
                    write(values, as: elementType, to: output + (begin - first) * elementType.size)
                }
            }
        }

        private func write(
            _ values: UnsafeMutableBufferPointer<Float>, as elementType: WeightElementType,
            to target: UnsafeMutableRawPointer
        ) {
            switch elementType {
            case .float32: target.copyMemory(from: values.baseAddress!, byteCount: 4 * values.count)
            case .bfloat16:
                let to = target.assumingMemoryBound(to: UInt16.self)
                for i in values.indices { to[i] = HalfPrecision.bfloat16(values[i]) }
            case .float16:
                let to = target.assumingMemoryBound(to: UInt16.self)
                for i in values.indices { to[i] = HalfPrecision.binary16(values[i]) }
            }
        }
    }
}
