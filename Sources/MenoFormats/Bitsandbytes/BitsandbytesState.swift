/// Reads the tensors that bitsandbytes saves along with the codes of a matrix, and checks that they fit together.
///
/// For four bits: `weight.absmax`, `weight.quant_map` and `weight.quant_state.bitsandbytes__nf4` (or `fp4`), which is JSON; for
/// double quantisation also `weight.nested_absmax` and `weight.nested_quant_map`. For eight bits: `SCB` next to `weight`.
struct BitsandbytesState {
    static let stateMarker = ".quant_state.bitsandbytes__"
    private static let rowScales = "SCB"

    let name: String
    let tensors: any SafetensorsTensors

    /// The state of a matrix; `nil` if it is not quantised.
    func matrix() throws -> QuantizedMatrix? {
        if let kind = ["nf4", "fp4"].first(where: { tensors.tensor(named: name + Self.stateMarker + $0) != nil }) {
            return try fourBits(kind)
        }
        guard let codes = tensors.tensor(named: name), codes.type == .int8 else { return nil }
        return try eightBits(codes)
    }

    /// Whether a tensor's name is that of a part of another tensor's state.
    static func isPart(_ name: String) -> Bool {
        name.contains(stateMarker) || name.hasSuffix("." + rowScales) || name.hasSuffix(".weight_format")
            || ["absmax", "quant_map", "nested_absmax", "nested_quant_map"].contains { name.hasSuffix(".weight." + $0) }
    }

    // MARK: Eight bits

    private func eightBits(_ codes: SafetensorsTensor) throws -> QuantizedMatrix {
        let module = name.hasSuffix(".weight") ? String(name.dropLast("weight".count)) : name + "."
        guard codes.shape.count == 2 else { throw fault("has the shape \(codes.shape); expected a matrix") }
        if let format = tensors.tensor(named: module + "weight_format") {
            let values = try tensors.elements(format.name, as: UInt8.self)
            guard values.allSatisfy({ $0 == 0 }) else {
                throw FormatError(
                    .unsupported, at: path,
                    "tensor '\(name)' has the weight format \(values[0]) of bitsandbytes; only the row format (0) is supported.",
                    advice: "Save the model with a current version of bitsandbytes.")
            }
        }
        let scales = try floats(module + Self.rowScales, count: codes.shape[0])
        return QuantizedMatrix(kind: .eightBits, shape: codes.shape, block: 0, nestedBlock: 0, scales: .plain(scales))
    }

    // MARK: Four bits

    private func fourBits(_ kind: String) throws -> QuantizedMatrix {
        let state = try State(tensors, name + Self.stateMarker + kind)
        let type = try state.string("quant_type")
        guard type == kind else { throw fault("has a state of \(kind), but its \"quant_type\" is \"\(type)\"") }
        let shape = try state.shape()
        let block = try state.positive("blocksize")
        let count = shape[0] * shape[1]
        guard count % 2 == 0 else { throw fault("has \(count) values; expected an even number") }
        let codes = try existing(name)
        guard codes.bytes.count == count / 2 else {
            throw fault(
                "has \(codes.bytes.count) bytes of codes; its state says \(shape), which are \(count / 2)")
        }
        let codebook = try floats(name + ".quant_map", count: 16)
        let blocks = (count + block - 1) / block
        let scales: QuantizedMatrix.Scales
        var nestedBlock = 0
        if try existing(name + ".absmax").type == .uint8 {
            nestedBlock = try state.positive("nested_blocksize")
            scales = .nested(
                codes: try bytes(name + ".absmax", count: blocks),
                codebook: try floats(name + ".nested_quant_map", count: 256),
                scales: try floats(name + ".nested_absmax", count: (blocks + nestedBlock - 1) / nestedBlock),
                offset: try state.float("nested_offset"))
        } else {
            scales = .plain(try floats(name + ".absmax", count: blocks))
        }
        return QuantizedMatrix(
            kind: .fourBits(codebook: codebook), shape: shape, block: block, nestedBlock: nestedBlock, scales: scales)
    }

    private func floats(_ part: String, count: Int) throws -> [Float] {
        let tensor = try existing(part)
        guard tensor.type == .float32, tensor.count == count else { throw wrong(tensor, count, "float32") }
        let values = try tensors.elements(part, as: Float.self)
        guard values.allSatisfy(\.isFinite) else { throw fault("has values in '\(part)' that are not finite numbers") }
        return values
    }

    private func bytes(_ part: String, count: Int) throws -> [UInt8] {
        let tensor = try existing(part)
        guard tensor.type == .uint8, tensor.count == count else { throw wrong(tensor, count, "uint8") }
        return try tensors.elements(part, as: UInt8.self)
    }

    private func existing(_ part: String) throws -> SafetensorsTensor {
        guard let tensor = tensors.tensor(named: part) else { throw fault("is missing its tensor '\(part)'") }
        return tensor
    }

    // MARK: Errors

    private var path: String { tensors.path(of: name) }

    private func wrong(_ tensor: SafetensorsTensor, _ count: Int, _ type: String) -> FormatError {
        fault("has '\(tensor.name)' \(tensor.shape) in \(tensor.type.rawValue); expected \(count) values of \(type)")
    }

    private func fault(_ what: String) -> FormatError { Self.fault(name, what, path: path) }

    fileprivate static func fault(_ name: String, _ what: String, path: String) -> FormatError {
        FormatError(
            .malformed, at: path, "the quantised tensor '\(name)' \(what).",
            advice: "The file is damaged or was not written by bitsandbytes: download it again.")
    }
}

/// The JSON of a quantisation state.
private struct State {
    private let value: JSONValue
    private let name: String
    private let path: String

    /// The largest accepted state, in bytes. Real ones have about 200.
    private static let limit = 1 << 16

    init(_ tensors: any SafetensorsTensors, _ name: String) throws {
        self.name = name
        path = tensors.path(of: name)
        guard let tensor = tensors.tensor(named: name), tensor.type == .uint8, tensor.count <= Self.limit else {
            throw BitsandbytesState.fault(name, "is not text of at most \(Self.limit) bytes", path: path)
        }
        let bytes = try tensors.elements(name, as: UInt8.self)
        do {
            value = try JSONReader.value(of: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw BitsandbytesState.fault(
                name, "is not JSON: \(error.message) at byte \(error.offset)", path: path)
        }
    }

    func string(_ key: String) throws -> String {
        guard let text = value[key]?.string else { throw fault(key, "a string") }
        return text
    }

    func positive(_ key: String) throws -> Int {
        guard case .integer(let number)? = value[key], number > 0, number <= 1 << 20 else {
            throw fault(key, "a whole number between 1 and \(1 << 20)")
        }
        return number
    }

    func float(_ key: String) throws -> Float {
        let number: Double? =
            switch value[key] {
            case .integer(let value): Double(value)
            case .number(let value): value
            default: nil
            }
        guard let number, Float(number).isFinite else { throw fault(key, "a number") }
        return Float(number)
    }

    func shape() throws -> [Int] {
        let sizes = value["shape"]?.array?.map { size -> Int in
            if case .integer(let value) = size, value > 0, value <= 1 << 30 { value } else { 0 }
        }
        guard let sizes, sizes.count == 2, sizes.allSatisfy({ $0 > 0 }) else {
            throw fault("shape", "rows and columns")
        }
        return sizes
    }

    private func fault(_ key: String, _ expected: String) -> FormatError {
        let found = value[key].map { "is \($0)" } ?? "is missing"
        return BitsandbytesState.fault(name, "has a state whose \"\(key)\" \(found); expected \(expected)", path: path)
    }
}
