internal import Foundation
internal import MenoFormats
internal import MenoTensor

/// Where to find a weight in a file by its name in transformers, and how to convert it to transformers' layout.
struct WeightMap: Sendable {
    /// A change of a stored weight, made in float32.
    enum Transformation: Sendable {
        case none
        /// The file holds a norm's complete factor; the model adds 1 to its weight.
        case subtractOne
        /// The rows of each head are interleaved pairs (x₀, x_{d/2}, x₁, …) in the file and halves in the model.
        case unpermuteHeads(Int)
        /// The rows of all queries come first in the file, then those of keys, then of values; in the model, each key stands with
        /// its queries and its value.
        case groupByKey(keys: Int, queries: Int)
        /// The file has the matrices of all experts in one tensor.
        case expert(ExpertSlice)
        /// The file has a matrix as `[in, out]`.
        case transpose

        /// The shape that a weight of this shape has in the file.
        func storedShape(_ shape: [Int]) -> [Int] {
            switch self {
            case .expert(let slice): slice.storedShape(shape)
            case .transpose: shape.reversed()
            default: shape
            }
        }
    }

    /// The name in the file, and how to convert the tensor.
    var entry: @Sendable (_ name: String) -> (name: String, transformation: Transformation)

    /// Files that transformers wrote. Gemma 3 files with a vision part keep the text model under `language_model.`.
    static func huggingFace(_ source: any WeightSource, _ names: WeightNames) -> WeightMap {
        let prefixes = ["", "language_model.", "model.language_model."]
        let embedding = names.transformers(.embedding) + ".weight"
        let prefix = prefixes.first { source.weight(named: prefixed(embedding, with: $0)) != nil }
        // Files of a model without its head leave out the first component of the names.
        let whole = embedding.split(separator: ".").first.map { $0 + "." } ?? ""
        let isBase = prefix == nil && source.weight(named: String(embedding.dropFirst(whole.count))) != nil
        let base = isBase ? whole : ""
        return WeightMap { whole in
            let alone = ModuleNames.alone(whole)
            let name = isBase && alone.hasPrefix(base) ? String(alone.dropFirst(base.count)) : alone
            if names.isTransposed, name.hasSuffix(".weight"),
                names.place(transformers: alone)?.part.isLinear ?? false
            {
                return (name, .transpose)
            }
            let isThere = { source.weight(named: prefixed($0, with: prefix ?? "")) }
            if isThere(name) == nil, let other = otherPlace(of: name, names, isThere) {
                return (prefixed(other.name, with: prefix ?? ""), other.transformation)
            }
            return (prefixed(name, with: prefix ?? ""), .none)
        }
    }

    /// The place of an expert's weight in files with a different name, or with one tensor for all experts.
    private static func otherPlace(
        of name: String, _ names: WeightNames, _ find: (String) -> WeightInfo?
    ) -> (name: String, transformation: Transformation)? {
        guard let place = names.place(transformers: name) else { return nil }
        if place.part == .head { return ("lm_head.\(place.kind)", .none) }
        guard let layer = place.layer else { return nil }
        let prefix = "\(names.layerPrefix)\(layer)."
        if place.part == .router { return ("\(prefix)\(names.experts.router).\(place.kind)", .none) }
        guard place.part.isOfExpert, let expert = place.expert else { return nil }
        let isDown = place.part == .expertDown
        for stack in names.experts.stacks {
            let stored = prefix + (isDown ? stack.down : stack.gateUp) + (place.kind == "bias" ? "_bias" : "")
            guard let info = find(stored), let count = info.shape.first else { continue }
            let slice = ExpertSlice(
                expert: expert, count: count, part: place.part == .expertUp ? 1 : 0, parts: isDown ? 1 : 2,
                takesTurns: stack.takesTurns && !isDown,
                // Packed matrices are never transposed.
                isTransposed: stack.isTransposed && info.storage != "MXFP4")
            return (stored, .expert(slice))
        }
        return nil
    }

    private static func prefixed(_ name: String, with prefix: String) -> String {
        guard prefix == ModuleNames.partPrefix else { return prefix + name }
        // The head is next to the text model, not inside it.
        return name.hasPrefix(ModuleNames.alonePrefix) ? prefix + name.dropFirst(ModuleNames.alonePrefix.count) : name
    }

    /// GGUF files as llama.cpp's converter writes them.
    static func gguf(_ configuration: DecoderConfiguration) -> WeightMap {
        let architecture = configuration.architecture
        return WeightMap { name in
            let name = ModuleNames.alone(name)
            if let other = architecture.names.gguf(other: name) { return (other, .none) }
            guard let place = architecture.names.place(transformers: name) else { return (name, .none) }
            let stored = architecture.names.gguf(place.part, layer: place.layer) + "." + place.kind
            if let expert = place.expert, let layer = place.layer, configuration.layers.indices.contains(layer),
                let count = configuration.layers[layer].count(of: place.part)
            {
                return (stored, .expert(ExpertSlice(expert: expert, count: count)))
            }
            return (stored, transformation(of: place.part, layer: place.layer, place.kind, configuration))
        }
    }

    /// The inverse of what llama.cpp's converter does to a weight.
    private static func transformation(
        of part: WeightPart, layer: Int?, _ kind: String, _ configuration: DecoderConfiguration
    ) -> Transformation {
        let layer = layer.flatMap { configuration.layers.indices.contains($0) ? configuration.layers[$0] : nil }
        let norm: NormConfiguration? =
            switch part {
            case .finalNorm: configuration.finalNorm
            case .queryNorm, .keyNorm: layer?.attention.queryKeyNorm?.norm
            case .attentionNorm, .feedForwardNorm, .postAttentionNorm, .postFeedForwardNorm: layer?.norm
            default: nil
            }
        if norm?.kind.offset == 1, kind == "weight" { return .subtractOne }
        if let attention = layer?.attention, attention.isFusedByKey, part == .queryKeyValue {
            return .groupByKey(
                keys: attention.keyValueHeadCount, queries: attention.headCount / attention.keyValueHeadCount)
        }
        guard let attention = layer?.attention, configuration.architecture.permutesRotaryRows else { return .none }
        switch part {
        case .query: return .unpermuteHeads(attention.headCount)
        case .key: return .unpermuteHeads(attention.keyValueHeadCount)
        default: return .none
        }
    }

    /// Whether a file holds a head that differs from the embedding.
    func hasOwnHead(_ source: any WeightSource, _ names: WeightNames) throws -> Bool {
        guard let head = source.weight(named: entry(names.transformers(.head) + ".weight").name),
            let embedding = source.weight(named: entry(names.transformers(.embedding) + ".weight").name)
        else { return false }
        guard head.shape == embedding.shape else { return true }
        let type: WeightElementType =
            switch (head.storage, embedding.storage) {
            case ("BF16", "BF16"): .bfloat16
            case ("F16", "F16"): .float16
            default: .float32
            }
        return try source.values(head, as: type) != source.values(embedding, as: type)
    }
}

extension Decoder {
    /// Reads every weight of a model through the map.
    convenience init(
        _ configuration: DecoderConfiguration, weights source: any WeightSource, map: WeightMap, path: String,
        weightType: DType, computeType: DType? = nil, form: WeightForm, quantization: WeightQuantization? = nil,
        device: Device
    ) throws {
        let find = { (name: String, shape: [Int]) in
            let (stored, transformation) = map.entry(name)
            guard let info = source.weight(named: stored) else {
                throw ModelError(
                    .malformed, at: path, "has no tensor \"\(stored)\".",
                    advice: "Its configuration says \(configuration.modelType) with \(configuration.layerCount) layers."
                )
            }
            let expected = transformation.storedShape(shape)
            guard info.shape == expected else {
                throw ModelError(
                    .malformed, at: path,
                    "the tensor \"\(stored)\" has the shape \(info.shape); the configuration requires \(expected).")
            }
            return (info, transformation)
        }
        try self.init(
            configuration, weightType: weightType, computeType: computeType, device: device,
            matrix: { name, shape in
                let (info, transformation) = try find(name, shape)
                let place = configuration.architecture.names.place(transformers: ModuleNames.alone(name))
                if let quantization, place?.part.isQuantized == true, quantization.includes(name) {
                    if let matrix = try source.quantized(info, transformation, shape, quantization, dtype: weightType) {
                        return matrix
                    }
                    return FrozenMatrix(try source.tensor(info, transformation, shape, dtype: weightType))
                }
                return try source.matrix(info, transformation, shape, form, dtype: weightType, device: device)
            },
            weight: { name, shape, dtype in
                let (info, transformation) = try find(name, shape)
                return try source.tensor(info, transformation, shape, dtype: dtype).to(device)
            })
    }
}

extension LayerConfiguration {
    /// The number of copies of a part that GGUF files hold in one tensor: one per expert, or per head with a separate norm.
    fileprivate func count(of part: WeightPart) -> Int? {
        switch part {
        case .queryNorm: attention.headCount
        case .keyNorm: attention.keyValueHeadCount
        default: feedForward.experts?.count
        }
    }
}

extension WeightSource {
    fileprivate func values(_ info: WeightInfo, as type: WeightElementType) throws -> Data {
        var data = Data(count: info.count * type.size)
        try data.withUnsafeMutableBytes { try read(info.name, as: type, into: $0) }
        return data
    }

    fileprivate func tensor(
        _ info: WeightInfo, _ transformation: WeightMap.Transformation, _ shape: [Int], dtype: DType
    ) throws -> Tensor {
        switch transformation {
        case .none: try read(info, dtype: dtype)
        case .subtractOne: try (read(info, dtype: .float32) + -1).to(dtype)
        case .unpermuteHeads(let heads): try read(info, dtype: dtype).unpermuted(heads: heads)
        case .groupByKey(let keys, let queries):
            try read(info, dtype: dtype).groupedByKey(keys: keys, queries: queries)
        case .expert(let slice): try tensor(info, slice, shape, dtype: dtype)
        case .transpose: try read(info, dtype: dtype).transposed().contiguous()
        }
    }

    /// A matrix, which stays packed if that is requested and the kernels support its format.
    fileprivate func matrix(
        _ info: WeightInfo, _ transformation: WeightMap.Transformation, _ shape: [Int], _ form: WeightForm,
        dtype: DType, device: Device
    ) throws -> FrozenMatrix {
        guard form == .packed else {
            return FrozenMatrix(try tensor(info, transformation, shape, dtype: dtype).to(device))
        }
        if let source = self as? BitsandbytesWeights, case .none = transformation {
            let matrix = try source.matrix(named: info.name).flatMap { form in
                try FrozenMatrix.quantized(form) { try source.readCodes(info.name, into: $0) }
            }
            return try matrix ?? FrozenMatrix(tensor(info, transformation, shape, dtype: dtype))
        }
        let (rows, columns) = (shape[0], shape[1])
        guard let source = self as? any PackedWeightSource, let blocks = source.packing(of: info.name),
            let format = FrozenMatrix.Format(rawValue: blocks.type), columns % blocks.elements == 0
        else {
            // Unpacked numbers keep their full precision.
            return FrozenMatrix(
                try tensor(info, transformation, shape, dtype: info.storage == "BF16" ? .bfloat16 : .float32))
        }
        var bytes = try Tensor(uninitialized: [rows, columns / blocks.elements * blocks.bytes], dtype: .uint8)
        try bytes.withMutableBytes { buffer in
            guard case .expert(let slice) = transformation else {
                return try source.readPacked(info.name, into: buffer)
            }
            let start = slice.elements(shape).lowerBound / blocks.elements * blocks.bytes
            try source.readPacked(info.name, bytes: start..<start + buffer.count, into: buffer)
        }
        switch transformation {
        case .none, .expert: break
        // Rows can be reordered without decoding them.
        case .unpermuteHeads(let heads): bytes = try bytes.unpermuted(heads: heads)
        case .groupByKey(let keys, let queries): bytes = try bytes.groupedByKey(keys: keys, queries: queries)
        case .subtractOne: preconditionFailure("norms are not matrices")
        case .transpose: preconditionFailure("files with packed values have matrices as [out, in]")
        }
        return try FrozenMatrix(packed: [bytes], format: format, columns: columns)
    }

    /// Quantises a weight while it is read, a few rows at a time; `nil` if its shape cannot be quantised.
    fileprivate func quantized(
        _ info: WeightInfo, _ transformation: WeightMap.Transformation, _ shape: [Int],
        _ quantization: WeightQuantization, dtype: DType
    ) throws -> FrozenMatrix? {
        if case .none = transformation {
            return try quantization.matrix(shape) { try read(info, rows: $0, dtype: dtype) }
        }
        return try quantization.matrix(shape) { [values = try tensor(info, transformation, shape, dtype: dtype)] in
            try values.narrowed(0, start: $0.lowerBound, count: $0.count)
        }
    }

    private func read(_ info: WeightInfo, dtype: DType) throws -> Tensor {
        try decoded(info, dtype: dtype) ?? read(info, rows: nil, dtype: dtype)
    }

    /// A block-quantised matrix, decoded by the kernels. They give the same numbers as ``WeightSource`` and are faster.
    private func decoded(_ info: WeightInfo, dtype: DType) throws -> Tensor? {
        guard dtype == .float32 || dtype == .bfloat16, info.shape.count == 2,
            let source = self as? any PackedWeightSource,
            let blocks = source.packing(of: info.name), let format = FrozenMatrix.Format(rawValue: blocks.type),
            info.shape[1] % blocks.elements == 0, info.shape[1] > 0
        else { return nil }
        let bytes = try Tensor(
            uninitialized: [info.shape[0], info.shape[1] / blocks.elements * blocks.bytes], dtype: .uint8)
        try bytes.withMutableBytes { try source.readPacked(info.name, into: $0) }
        return try FrozenMatrix(packed: [bytes], format: format, columns: info.shape[1]).values(dtype)
    }

    /// - Parameter rows: of a matrix; `nil`: the complete tensor.
    private func read(_ info: WeightInfo, rows: Range<Int>?, dtype: DType) throws -> Tensor {
        let columns = info.shape.dropFirst().reduce(1, *)
        let shape = rows.map { [$0.count] + info.shape.dropFirst() } ?? info.shape
        let elements = rows.map { $0.lowerBound * columns..<$0.upperBound * columns } ?? 0..<info.count
        let tensor = try Tensor(uninitialized: shape, dtype: dtype)
        try tensor.withMutableBytes { try read(info.name, elements: elements, as: .init(dtype), into: $0) }
        return tensor
    }
}

extension Tensor {
    /// Reorders rows from all queries, all keys, all values to each key with its queries and its value.
    fileprivate func groupedByKey(keys: Int, queries: Int) throws -> Tensor {
        let dimension = size(0) / (keys * (queries + 2))
        let part = { (start: Int, count: Int) in
            try self.narrowed(0, start: start * keys * dimension, count: count * keys * dimension)
                .reshaped([keys, count * dimension] + self.shape.dropFirst())
        }
        return try Tensor.concatenated([part(0, queries), part(queries, 1), part(queries + 1, 1)], along: 1)
            .reshaped(shape)
    }

    /// Reorders the rows of each head from interleaved pairs to halves.
    fileprivate func unpermuted(heads: Int) throws -> Tensor {
        let rows = size(0)
        return try reshaped([heads, rows / heads / 2, 2] + shape.dropFirst()).transposed(1, 2).reshaped(shape)
            .contiguous()
    }
}
