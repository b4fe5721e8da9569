/// How numbers are stored in a file: as plain elements, or in blocks of a GGML quantisation.
enum ElementStorage: Sendable, CaseIterable {
    case float64, float32, float16, bfloat16
    case q4_0, q4_1, q5_0, q5_1, q8_0, iq4_NL, mxfp4
    case q2_K, q3_K, q4_K, q5_K, q6_K, iq4_XS

    /// The number of elements and bytes in a block; a plain element is a block of one.
    var block: (elements: Int, bytes: Int) {
        switch self {
        case .float64: (1, 8)
        case .float32: (1, 4)
        case .float16, .bfloat16: (1, 2)
        case .q4_0: (Q4_0Decoder.elements, Q4_0Decoder.bytes)
        case .q4_1: (Q4_1Decoder.elements, Q4_1Decoder.bytes)
        case .q5_0: (Q5_0Decoder.elements, Q5_0Decoder.bytes)
        case .q5_1: (Q5_1Decoder.elements, Q5_1Decoder.bytes)
        case .q8_0: (Q8_0Decoder.elements, Q8_0Decoder.bytes)
        case .iq4_NL: (IQ4_NLDecoder.elements, IQ4_NLDecoder.bytes)
        case .mxfp4: (MXFP4Decoder.elements, MXFP4Decoder.bytes)
        case .q2_K: (Q2_KDecoder.elements, Q2_KDecoder.bytes)
        case .q3_K: (Q3_KDecoder.elements, Q3_KDecoder.bytes)
        case .q4_K: (Q4_KDecoder.elements, Q4_KDecoder.bytes)
        case .q5_K: (Q5_KDecoder.elements, Q5_KDecoder.bytes)
        case .q6_K: (Q6_KDecoder.elements, Q6_KDecoder.bytes)
        case .iq4_XS: (IQ4_XSDecoder.elements, IQ4_XSDecoder.bytes)
        }
    }

    /// The bytes of some elements of a tensor, which must be complete blocks.
    func bytes(of elements: Range<Int>, in tensor: Range<Int>) -> Range<Int> {
        let block = block
        precondition(
            elements.lowerBound % block.elements == 0 && elements.count % block.elements == 0,
            "only complete blocks can be read")
        let start = tensor.lowerBound + elements.lowerBound / block.elements * block.bytes
        return start..<start + elements.count / block.elements * block.bytes
    }

    /// Whether the stored bytes already are elements of this type.
    func isStored(as elementType: WeightElementType) -> Bool {
        switch (self, elementType) {
        case (.float32, .float32), (.float16, .float16), (.bfloat16, .bfloat16): true
        default: false
        }
    }
}

/// Decodes one storage into float32.
protocol BlockDecoder: SendableMetatype {
    /// Elements in a block.
    static var elements: Int { get }
    /// Bytes in a block.
    static var bytes: Int { get }
    /// Decodes complete blocks.
    /// - Parameters:
    ///   - source: `blocks × bytes` bytes, of any alignment.
    ///   - output: `blocks × elements` elements.
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>)
}

/// Storage without blocks.
protocol ElementDecoder: BlockDecoder {
    associatedtype Stored: BitwiseCopyable
    static func float(_ stored: Stored) -> Float
}

extension ElementDecoder {
    static var elements: Int { 1 }
    static var bytes: Int { MemoryLayout<Stored>.size }

    @inline(__always)
    static func decode(_ source: UnsafeRawPointer, blocks: Int, into output: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            output[index] = float(
                source.loadUnaligned(fromByteOffset: index &* MemoryLayout<Stored>.size, as: Stored.self))
        }
    }
}

enum Float64Decoder: ElementDecoder {
    @inline(__always) static func float(_ stored: UInt64) -> Float {
        Float(Double(bitPattern: UInt64(littleEndian: stored)))
    }
}

enum Float32Decoder: ElementDecoder {
    @inline(__always) static func float(_ stored: UInt32) -> Float { Float(bitPattern: UInt32(littleEndian: stored)) }
}

enum Float16Decoder: ElementDecoder {
    @inline(__always) static func float(_ stored: UInt16) -> Float {
        HalfPrecision.float(binary16: UInt16(littleEndian: stored))
    }
}

enum BFloat16Decoder: ElementDecoder {
    @inline(__always) static func float(_ stored: UInt16) -> Float {
        HalfPrecision.float(bfloat16: UInt16(littleEndian: stored))
    }
}
