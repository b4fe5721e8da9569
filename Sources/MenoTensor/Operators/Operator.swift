internal import CTorch

/// An argument of an operator.
package enum OperatorArgument {
    /// The schema's default value.
    case `default`
    case none
    case tensor(Tensor)
    case tensors([Tensor])
    case int(Int)
    case double(Double)
    case bool(Bool)
    case ints([Int])
    case dtype(DType)
    case device(Device)
    case string(String)

    /// A tensor, or `none`.
    static func optional(_ tensor: Tensor?) -> OperatorArgument { tensor.map(OperatorArgument.tensor) ?? .none }
}

/// An operator of libtorch or of Meno, looked up once by its dispatcher name and called boxed.
///
/// Calls go through the dispatcher, so autograd records them.
package struct Operator: Sendable {
    /// `aten::add.Tensor`, for error messages.
    package let name: String
    // The pointer refers to an entry that exists for the lifetime of the process and is never modified.
    private nonisolated(unsafe) let entry: OpaquePointer?

    /// Looks up an operator. If it does not exist, calling it throws.
    package init(_ name: String, _ overload: String = "") {
        self.name = overload.isEmpty ? name : "\(name).\(overload)"
        var entry: OpaquePointer?
        let status = ct_operator_find(name, overload, &entry)
        if status.code != CT_OK { ct_string_free(status.message) }
        self.entry = entry
    }

    /// Calls the operator with positional arguments; omitted ones get the schema's defaults.
    /// - Returns: the returned tensors in order, lists flattened.
    package func callAsFunction(_ arguments: OperatorArgument..., results: Int = 4) throws -> [Tensor?] {
        try call(arguments, results: results)
    }

    /// The same with a list of arguments.
    func callAsFunction(_ arguments: [OperatorArgument]) throws -> [Tensor?] { try call(arguments, results: 4) }

    /// Calls an operator whose first result is a tensor.
    func one(_ arguments: OperatorArgument...) throws -> Tensor { try one(arguments) }

    /// The same with a list of arguments.
    func one(_ arguments: [OperatorArgument]) throws -> Tensor {
        guard let first = try call(arguments, results: 8).first, let tensor = first else {
            throw TorchError(.invalid, at: name, "returned no tensor")
        }
        return tensor
    }

    /// The answer of an operator that returns one boolean.
    func ask(_ arguments: OperatorArgument...) throws -> Bool {
        var result = false
        try withValues(of: arguments) { entry, values in
            try check(ct_operator_ask(entry, values.baseAddress, Int64(arguments.count), &result), name)
        }
        return result
    }

    private func call(_ arguments: [OperatorArgument], results capacity: Int) throws -> [Tensor?] {
        try withValues(of: arguments) { entry, values in
            try withUnsafeTemporaryAllocation(of: OpaquePointer?.self, capacity: capacity) { results in
                results.initialize(repeating: nil)
                var count: Int64 = 0
                try check(
                    ct_operator_call(
                        entry, values.baseAddress, Int64(arguments.count), results.baseAddress, Int64(capacity),
                        &count), name)
                return results.prefix(Int(count)).map { $0.map(Tensor.init(owning:)) }
            }
        }
    }

    /// Converts the arguments for the C interface for the duration of one call.
    private func withValues<Result>(
        of arguments: [OperatorArgument], _ body: (OpaquePointer, UnsafeMutableBufferPointer<ct_value>) throws -> Result
    ) throws -> Result {
        guard let entry else {
            throw TorchError(.unknownOperator, at: name, "libtorch has no such operator")
        }
        var lists = ListStorage()
        defer { lists.deallocate() }
        return try withUnsafeTemporaryAllocation(of: ct_value.self, capacity: max(arguments.count, 1)) { values in
            for (index, argument) in arguments.enumerated() {
                values.initializeElement(at: index, to: lists.value(of: argument))
            }
            return try withExtendedLifetime(arguments) { try body(entry, values) }
        }
    }
}

/// The memory of list and string arguments during one call.
private struct ListStorage {
    private var allocations: [UnsafeMutableRawPointer] = []

    mutating func deallocate() {
        for allocation in allocations { allocation.deallocate() }
    }

    mutating func value(of argument: OperatorArgument) -> ct_value {
        var value = ct_value()
        switch argument {
        case .default: value.tag = CT_VALUE_DEFAULT
        case .none: value.tag = CT_VALUE_NONE
        case .tensor(let tensor):
            value.tag = CT_VALUE_TENSOR
            value.as.tensor = tensor.handle
        case .tensors(let tensors):
            value.tag = CT_VALUE_TENSOR_LIST
            value.as.list = ct_list(items: store(tensors.map(\.handle)), count: Int64(tensors.count))
        case .int(let integer):
            value.tag = CT_VALUE_INT
            value.as.integer = Int64(integer)
        case .dtype(let dtype):
            value.tag = CT_VALUE_INT
            value.as.integer = Int64(dtype.rawValue)
        case .double(let real):
            value.tag = CT_VALUE_DOUBLE
            value.as.real = real
        case .bool(let boolean):
            value.tag = CT_VALUE_BOOL
            value.as.boolean = boolean
        case .ints(let integers):
            value.tag = CT_VALUE_INT_LIST
            value.as.list = ct_list(items: store(integers.map(Int64.init)), count: Int64(integers.count))
        case .device(let device):
            value.tag = CT_VALUE_DEVICE
            value.as.device = device.raw
        case .string(let string):
            value.tag = CT_VALUE_STRING
            value.as.string = UnsafePointer(store(Array(string.utf8CString)))
        }
        return value
    }

    private mutating func store<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
        memory.initialize(from: elements, count: elements.count)
        allocations.append(UnsafeMutableRawPointer(memory))
        return memory
    }
}
