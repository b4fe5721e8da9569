internal import CTorch

/// The element type of a tensor.
package enum DType: Int32, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case uint8 = 0
    case int32 = 3
    case int64 = 4
    case float16 = 5
    case float32 = 6
    case float64 = 7
    case bool = 11
    case bfloat16 = 15

    /// Bytes per element.
    package var size: Int {
        switch self {
        case .uint8, .bool: 1
        case .float16, .bfloat16: 2
        case .int32, .float32: 4
        case .int64, .float64: 8
        }
    }

    package var description: String {
        switch self {
        case .uint8: "uint8"
        case .int32: "int32"
        case .int64: "int64"
        case .float16: "float16"
        case .float32: "float32"
        case .float64: "float64"
        case .bool: "bool"
        case .bfloat16: "bfloat16"
        }
    }
}

/// A Swift type that can be copied into and out of tensors.
package protocol TensorElement: BitwiseCopyable, Sendable {
    static var dtype: DType { get }
}

extension Float: TensorElement { package static var dtype: DType { .float32 } }
extension Double: TensorElement { package static var dtype: DType { .float64 } }
extension Int64: TensorElement { package static var dtype: DType { .int64 } }
extension Int32: TensorElement { package static var dtype: DType { .int32 } }
extension UInt8: TensorElement { package static var dtype: DType { .uint8 } }
extension Bool: TensorElement { package static var dtype: DType { .bool } }
