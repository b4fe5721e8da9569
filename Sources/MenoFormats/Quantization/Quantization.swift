import Dispatch

/// Encodes float32 as GGML tensor types with directly computed scales, on all cores. Types whose scales need a search are encoded
/// by a kernel (`MenoTensor.BlockSearch`).
package enum Quantization {
    /// The supported types.
    package static let supported: [GGUFTensorType] = [.F32, .F16, .BF16, .Q4_0, .Q4_1, .Q5_0, .Q5_1, .Q8_0]

    /// The number of elements that one task encodes.
    private static let taskElements = 1 << 16

    /// - Parameters:
    ///   - values: a multiple of the type's block.
    ///   - type: one of ``supported``.
    ///   - destination: exactly the bytes of these blocks.
    package static func encode(
        _ values: UnsafeBufferPointer<Float>, as type: GGUFTensorType, into destination: UnsafeMutableRawBufferPointer
    ) {
        let block = type.block
        precondition(
            values.count % block.elements == 0 && destination.count == values.count / block.elements * block.bytes,
            "only complete blocks can be encoded")
        guard let source = values.baseAddress, let output = destination.baseAddress, !values.isEmpty else { return }
        let work = Work(source: source, output: output)
        // Written out so that the compiler specializes the code for each type.
        switch type {
        case .F32: output.copyMemory(from: source, byteCount: destination.count)
        case .F16: run(Float16Encoder.self, work, count: values.count)
        case .BF16: run(BFloat16Encoder.self, work, count: values.count)
        case .Q4_0: run(Q4_0Encoder.self, work, count: values.count)
        case .Q4_1: run(Q4_1Encoder.self, work, count: values.count)
        case .Q5_0: run(Q5_0Encoder.self, work, count: values.count)
        case .Q5_1: run(Q5_1Encoder.self, work, count: values.count)
        case .Q8_0: run(Q8_0Encoder.self, work, count: values.count)
        default: preconditionFailure("\(type.name) cannot be written")
        }
    }

    private struct Work: @unchecked Sendable {
        let source: UnsafePointer<Float>
        let output: UnsafeMutableRawPointer
    }

    private static func run<Encoder: BlockEncoder>(_: Encoder.Type, _ work: Work, count: Int) {
        let blocks = count / Encoder.elements
        let perTask = max(1, taskElements / Encoder.elements)
        let tasks = (blocks - 1) / perTask + 1
        let encode = { @Sendable (task: Int) in
            let first = task * perTask
            for index in first..<min(first + perTask, blocks) {
                Encoder.encode(
                    work.source + index &* Encoder.elements, into: work.output + index &* Encoder.bytes)
            }
        }
        if tasks == 1 { encode(0) } else { DispatchQueue.concurrentPerform(iterations: tasks, execute: encode) }
    }
}

/// Encodes float32 as one storage.
protocol BlockEncoder: SendableMetatype {
    /// Elements in a block.
    static var elements: Int { get }
    /// Bytes in a block.
    static var bytes: Int { get }
    /// Encodes one block.
    /// - Parameter block: ``bytes`` bytes, of any alignment.
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer)
}

enum Float16Encoder: BlockEncoder {
    static var elements: Int { 1 }
    static var bytes: Int { 2 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        storeHalf(HalfPrecision.binary16(x[0]), block, 0)
    }
}

enum BFloat16Encoder: BlockEncoder {
    static var elements: Int { 1 }
    static var bytes: Int { 2 }

    @inline(__always)
    static func encode(_ x: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        storeHalf(HalfPrecision.bfloat16(x[0]), block, 0)
    }
}

@inline(__always)
func storeHalf(_ bits: UInt16, _ output: UnsafeMutableRawPointer, _ offset: Int) {
    output.storeBytes(of: bits.littleEndian, toByteOffset: offset, as: UInt16.self)
}

@inline(__always)
func storeByte(_ value: UInt8, _ output: UnsafeMutableRawPointer, _ offset: Int) {
    output.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
}

/// Rounding by addition, which vector units do without a function call. Exact for magnitudes below 2²².
enum FastRounding {
    /// 1.5 · 2²³: its last place is 1, so that a sum with it is rounded to a whole number, ties to even.
    static let magic: Float = 12_582_912

    @inline(__always)
    static func even(_ value: Float) -> Float { (value + magic) - magic }

    /// Ties away from zero.
    @inline(__always)
    static func away(_ value: Float) -> Float {
        let magnitude = Float(bitPattern: value.bitPattern & 0x7FFF_FFFF)
        let even = even(magnitude)
        let rounded = magnitude - even == 0.5 ? even + 1 : even
        return Float(bitPattern: rounded.bitPattern | value.bitPattern & 0x8000_0000)
    }

    /// The whole number not above a value that is not negative.
    @inline(__always)
    static func down(_ value: Float) -> Float {
        let even = even(value)
        return even > value ? even - 1 : even
    }

    /// Converts a whole number to an integer; the result for any other number is unspecified.
    @inline(__always)
    static func integer(_ whole: Float) -> Int32 {
        Int32(bitPattern: (whole + magic).bitPattern) &- Int32(bitPattern: magic.bitPattern)
    }
}
