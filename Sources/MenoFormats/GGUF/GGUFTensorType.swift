/// The tensor types of GGML, with their identifiers in GGUF files.
package enum GGUFTensorType: UInt32, Sendable, Hashable, CaseIterable {
    case F32 = 0
    case F16 = 1
    case Q4_0 = 2
    case Q4_1 = 3
    case Q5_0 = 6
    case Q5_1 = 7
    case Q8_0 = 8
    case Q8_1 = 9
    case Q2_K = 10
    case Q3_K = 11
    case Q4_K = 12
    case Q5_K = 13
    case Q6_K = 14
    case Q8_K = 15
    case IQ2_XXS = 16
    case IQ2_XS = 17
    case IQ3_XXS = 18
    case IQ1_S = 19
    case IQ4_NL = 20
    case IQ3_S = 21
    case IQ2_S = 22
    case IQ4_XS = 23
    case I8 = 24
    case I16 = 25
    case I32 = 26
    case I64 = 27
    case F64 = 28
    case IQ1_M = 29
    case BF16 = 30
    case TQ1_0 = 34
    case TQ2_0 = 35
    case MXFP4 = 39
    case NVFP4 = 40
    case Q1_0 = 41

    /// The name that llama.cpp's tools show.
    package var name: String { String(describing: self) }

    /// Elements and bytes of one block; every row of a tensor is a multiple of a block.
    package var block: (elements: Int, bytes: Int) {
        switch self {
        case .F32, .I32: (1, 4)
        case .F16, .BF16, .I16: (1, 2)
        case .F64, .I64: (1, 8)
        case .I8: (1, 1)
        case .Q4_0, .IQ4_NL: (32, 18)
        case .Q4_1: (32, 20)
        case .Q5_0: (32, 22)
        case .Q5_1: (32, 24)
        case .Q8_0: (32, 34)
        case .Q8_1: (32, 40)
        case .MXFP4: (32, 17)
        case .NVFP4: (64, 36)
        case .Q1_0: (128, 18)
        case .Q2_K: (256, 84)
        case .Q3_K, .IQ3_S: (256, 110)
        case .Q4_K: (256, 144)
        case .Q5_K: (256, 176)
        case .Q6_K: (256, 210)
        case .Q8_K: (256, 292)
        case .IQ2_XXS, .TQ2_0: (256, 66)
        case .IQ2_XS: (256, 74)
        case .IQ2_S: (256, 82)
        case .IQ3_XXS: (256, 98)
        case .IQ4_XS: (256, 136)
        case .IQ1_S: (256, 50)
        case .IQ1_M: (256, 56)
        case .TQ1_0: (256, 54)
        }
    }

    /// How to decode it as weights; `nil` if Meno cannot.
    var storage: ElementStorage? {
        switch self {
        case .F64: .float64
        case .F32: .float32
        case .F16: .float16
        case .BF16: .bfloat16
        case .Q4_0: .q4_0
        case .Q4_1: .q4_1
        case .Q5_0: .q5_0
        case .Q5_1: .q5_1
        case .Q8_0: .q8_0
        case .IQ4_NL: .iq4_NL
        case .MXFP4: .mxfp4
        case .Q2_K: .q2_K
        case .Q3_K: .q3_K
        case .Q4_K: .q4_K
        case .Q5_K: .q5_K
        case .Q6_K: .q6_K
        case .IQ4_XS: .iq4_XS
        default: nil
        }
    }

    /// The types that can be read as weights.
    package static let supported = allCases.filter { $0.storage != nil }

    /// Advice for a type that cannot be read.
    static let advice =
        "Supported are \(supported.map(\.name).joined(separator: ", ")). "
        + "Use a file of the model in one of these types, or convert it with llama-quantize."
}

/// One tensor of a GGUF file.
package struct GGUFTensor: Sendable, Hashable {
    package var name: String
    package var type: GGUFTensorType
    /// Row-major, outermost dimension first (the reverse of the file's own order).
    package var shape: [Int]
    /// The range of its bytes, counted from the start of the file.
    package var bytes: Range<Int>

    /// The number of elements.
    package var count: Int { shape.reduce(1, *) }

    var info: WeightInfo { WeightInfo(name: name, shape: shape, storage: type.name) }
}
