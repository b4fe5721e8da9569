import Dispatch

/// Decodes stored numbers into the requested element type, on all cores.
enum ElementConversion {
    /// Elements that one task decodes: large enough to hide the cost of a task, small enough to balance cores.
    private static let taskElements = 1 << 18
    /// Elements decoded to float32 at a time on the way to a 16-bit type; stays in the first-level cache.
    private static let strideElements = 2048

    /// - Parameters:
    ///   - source: exactly the bytes of `count` elements; any alignment.
    ///   - count: a multiple of the block size of `storage`.
    ///   - destination: `count × elementType.size` bytes, aligned for the element type.
    ///   - onRead: called with parts of the source that have been read, on any thread.
    static func convert(
        _ source: UnsafeRawBufferPointer, storage: ElementStorage, count: Int,
        as elementType: WeightElementType, into destination: UnsafeMutableRawBufferPointer,
        onRead: @escaping @Sendable (Range<Int>) -> Void = { _ in }
    ) {
        guard count > 0, let input = source.baseAddress, let output = destination.baseAddress else { return }
        let work = Work(
            input: input, output: output, elementType: elementType, isCopy: storage.isStored(as: elementType),
            onRead: onRead)
        // Written out so that the compiler specializes the code for each storage.
        switch storage {
        case .float64: run(Float64Decoder.self, work, count: count)
        case .float32: run(Float32Decoder.self, work, count: count)
        case .float16: run(Float16Decoder.self, work, count: count)
        case .bfloat16: run(BFloat16Decoder.self, work, count: count)
        case .q4_0: run(Q4_0Decoder.self, work, count: count)
        case .q4_1: run(Q4_1Decoder.self, work, count: count)
        case .q5_0: run(Q5_0Decoder.self, work, count: count)
        case .q5_1: run(Q5_1Decoder.self, work, count: count)
        case .q8_0: run(Q8_0Decoder.self, work, count: count)
        case .iq4_NL: run(IQ4_NLDecoder.self, work, count: count)
        case .mxfp4: run(MXFP4Decoder.self, work, count: count)
        case .q2_K: run(Q2_KDecoder.self, work, count: count)
        case .q3_K: run(Q3_KDecoder.self, work, count: count)
        case .q4_K: run(Q4_KDecoder.self, work, count: count)
        case .q5_K: run(Q5_KDecoder.self, work, count: count)
        case .q6_K: run(Q6_KDecoder.self, work, count: count)
        case .iq4_XS: run(IQ4_XSDecoder.self, work, count: count)
        }
    }

    private struct Work: @unchecked Sendable {
        let input: UnsafeRawPointer
        let output: UnsafeMutableRawPointer
        let elementType: WeightElementType
        let isCopy: Bool
        let onRead: @Sendable (Range<Int>) -> Void
    }

    private static func run<Decoder: BlockDecoder>(_: Decoder.Type, _ work: Work, count: Int) {
        let blocks = count / Decoder.elements
        precondition(blocks * Decoder.elements == count, "a tensor consists of complete blocks")
        let perTask = taskElements / Decoder.elements
        let tasks = (blocks - 1) / perTask + 1
        guard tasks > 1 else { return decode(Decoder.self, work, 0..<blocks) }
        DispatchQueue.concurrentPerform(iterations: tasks) { task in
            decode(Decoder.self, work, task * perTask..<min((task + 1) * perTask, blocks))
        }
    }

    private static func decode<Decoder: BlockDecoder>(_: Decoder.Type, _ work: Work, _ blocks: Range<Int>) {
        let source = work.input + blocks.lowerBound * Decoder.bytes
        defer { work.onRead(blocks.lowerBound * Decoder.bytes..<blocks.upperBound * Decoder.bytes) }
        let first = blocks.lowerBound * Decoder.elements
        let target = work.output + first * work.elementType.size
        if work.isCopy {
            target.copyMemory(from: source, byteCount: blocks.count * Decoder.bytes)
            return
        }
        switch work.elementType {
        case .float32:
            Decoder.decode(source, blocks: blocks.count, into: target.assumingMemoryBound(to: Float.self))
        case .bfloat16:
            narrow(Decoder.self, source, blocks: blocks.count, into: target, HalfPrecision.bfloat16)
        case .float16:
            narrow(Decoder.self, source, blocks: blocks.count, into: target, HalfPrecision.binary16)
        }
    }

    @inline(__always)
    private static func narrow<Decoder: BlockDecoder>(
        _: Decoder.Type, _ source: UnsafeRawPointer, blocks: Int, into target: UnsafeMutableRawPointer,
        _ round: (Float) -> UInt16
    ) {
        let output = target.assumingMemoryBound(to: UInt16.self)
        let stride = strideElements / Decoder.elements
        withUnsafeTemporaryAllocation(of: Float.self, capacity: strideElements) { buffer in
            let values = buffer.baseAddress!
            var block = 0
            while block < blocks {
                let step = min(stride, blocks - block)
                Decoder.decode(source + block * Decoder.bytes, blocks: step, into: values)
                let part = output + block * Decoder.elements
                for index in 0..<step * Decoder.elements { part[index] = round(values[index]) }
                block += step
            }
        }
    }
}

extension WeightInfo {
    /// Checks the destination of a read against this tensor.
    func check(
        _ elements: Range<Int>, _ destination: UnsafeMutableRawBufferPointer, as elementType: WeightElementType,
        path: String
    ) throws {
        precondition(elements.lowerBound >= 0 && elements.upperBound <= count, "\(elements) is outside '\(name)'")
        let needed = elements.count.multipliedReportingOverflow(by: elementType.size)
        guard !needed.overflow, destination.count == needed.partialValue else {
            throw FormatError(
                .malformed, at: path,
                "tensor '\(name)' \(shape) needs \(needed.partialValue) bytes as \(elementType), "
                    + "but the destination holds \(destination.count).",
                advice:
                    "The configuration and the weights disagree about this tensor's shape: use files of the same model."
            )
        }
        if let base = destination.baseAddress {
            precondition(
                Int(bitPattern: base) % elementType.size == 0, "the destination must be aligned for \(elementType)")
        }
    }
}

extension MemoryMappedFile {
    /// Converts the elements stored in some bytes, and releases their pages once they have been read. Parameters as
    /// for ``ElementConversion/convert(_:storage:count:as:into:onRead:)``.
    func convert(
        _ range: Range<Int>, storage: ElementStorage, count: Int, as elementType: WeightElementType,
        into destination: UnsafeMutableRawBufferPointer
    ) {
        withUnsafeBytes(range) { bytes in
            ElementConversion.convert(bytes, storage: storage, count: count, as: elementType, into: destination) {
                self.release(range.lowerBound + $0.lowerBound..<range.lowerBound + $0.upperBound)
            }
        }
    }
}
