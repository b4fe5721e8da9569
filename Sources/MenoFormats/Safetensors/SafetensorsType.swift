/// The element types of a safetensors file.
package enum SafetensorsType: String, Sendable, Hashable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case float8E4M3 = "F8_E4M3"
    case float8E5M2 = "F8_E5M2"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"

    /// Bytes per element.
    package var size: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float8E4M3, .float8E5M2, .int8, .uint8, .bool: 1
        }
    }

    /// The type that stores weights of this element type.
    package init(_ elementType: WeightElementType) {
        switch elementType {
        case .float32: self = .float32
        case .bfloat16: self = .bfloat16
        case .float16: self = .float16
        }
    }

    /// How to decode it as weights; `nil` for types that weights cannot have.
    var storage: ElementStorage? {
        switch self {
        case .float64: .float64
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        default: nil
        }
    }

    /// The names of all types, for messages.
    static let names = allCases.map(\.rawValue).joined(separator: ", ")
}

/// One tensor of a safetensors file.
package struct SafetensorsTensor: Sendable, Hashable {
    package var name: String
    package var type: SafetensorsType
    /// Row-major, outermost dimension first.
    package var shape: [Int]
    /// The range of its bytes, counted from the start of the file.
    package var bytes: Range<Int>

    /// The number of elements.
    package var count: Int { shape.reduce(1, *) }

    var info: WeightInfo { WeightInfo(name: name, shape: shape, storage: type.rawValue) }
}
