internal import MenoFormats

/// How transformers' weights are named and laid out in GGUF files: the inverse of ``WeightMap``, which describes reading.
package struct GGUFForm: Sendable {
    private let map: WeightMap
    /// The factor of the queries in the file, which makes up for llama.cpp's different scale of scores.
    private let queryScale: Float
    private let names: WeightNames
    private let scaledParts: Set<WeightPart>

    package init(_ configuration: DecoderConfiguration) {
        let configuration = configuration.inGGUF
        map = .gguf(configuration)
        names = configuration.architecture.names
        queryScale = Float(configuration.ggufScaleRatio)
        // Where queries are normalized, scaling a weight before the norm would change nothing.
        scaledParts = configuration.layers[0].attention.queryKeyNorm == nil ? [.query] : [.queryNorm]
    }

    /// The name in a GGUF file of one of a text model's weights.
    package func name(of parameter: String) -> String { map.entry(parameter).name }

    /// Whether each expert has such a weight. A GGUF file holds those of all experts in one tensor.
    package func isOfExpert(_ parameter: String) -> Bool {
        if case .expert = map.entry(parameter).transformation { true } else { false }
    }

    /// The number of rows that must be written together: where rows are reordered, those of a complete head.
    package func rowsTogether(_ parameter: String, rows: Int) -> Int {
        switch map.entry(parameter).transformation {
        case .unpermuteHeads(let heads): rows / heads
        case .groupByKey: rows
        default: 1
        }
    }

    /// Converts rows to the layout of a GGUF file.
    /// - Parameters:
    ///   - values: rows of transformers' weight, row-major; as many as ``rowsTogether(_:rows:)`` says, or a multiple.
    ///   - columns: elements of a row.
    ///   - rows: of the whole weight.
    package func write(_ parameter: String, _ values: inout [Float], columns: Int, rows: Int) {
        switch map.entry(parameter).transformation {
        case .none, .expert, .transpose: break
        case .subtractOne: for index in values.indices { values[index] += 1 }
        case .unpermuteHeads(let heads):
            values = Self.reordered(values, columns: columns, head: rows / heads) { row, half in
                // x₀, x₁, … of the halves become the pairs (x₀, x_{d/2}), (x₁, …), ….
                row < half ? 2 * row : 2 * (row - half) + 1
            }
        case .groupByKey(let keys, let queries):
            let order = Self.keyOrder(rows: rows, keys: keys, queries: queries)
            values = Self.reordered(values, columns: columns, head: rows) { row, _ in order[row] }
        }
        if let factor = factor(of: parameter) { for index in values.indices { values[index] *= factor } }
    }

    /// The factor of a weight in the file; `nil`: none.
    func factor(of parameter: String) -> Float? {
        guard queryScale != 1, let place = names.place(transformers: parameter), scaledParts.contains(place.part) else {
            return nil
        }
        return queryScale
    }

    /// Converts rows of a GGUF file to transformers' layout; the inverse of ``write(_:_:columns:rows:)``.
    func read(_ parameter: String, _ values: inout [Float], columns: Int, rows: Int) {
        if let factor = factor(of: parameter) { for index in values.indices { values[index] /= factor } }
        switch map.entry(parameter).transformation {
        case .none, .expert, .transpose: break
        case .subtractOne: for index in values.indices { values[index] -= 1 }
        case .unpermuteHeads(let heads):
            values = Self.reordered(values, columns: columns, head: rows / heads) { row, half in
                row % 2 == 0 ? row / 2 : half + row / 2
            }
        case .groupByKey(let keys, let queries):
            var places = [Int](repeating: 0, count: rows)
            for (row, place) in Self.keyOrder(rows: rows, keys: keys, queries: queries).enumerated() {
                places[place] = row
            }
            values = Self.reordered(values, columns: columns, head: rows) { row, _ in places[row] }
        }
    }

    /// For a model that groups rows by key: the index of each row in a file that has all queries first.
    private static func keyOrder(rows: Int, keys: Int, queries: Int) -> [Int] {
        let dimension = rows / (keys * (queries + 2))
        return (0..<rows).map { row in
            let (head, element) = (row / dimension, row % dimension)
            let (key, member) = (head / (queries + 2), head % (queries + 2))
            let target =
                member < queries ? key * queries + member : keys * queries + (member - queries) * keys + key
            return target * dimension + element
        }
    }

    /// - Parameter place: the new index of a row within its head, given half the number of rows of a head.
    private static func reordered(
        _ values: [Float], columns: Int, head: Int, _ place: (_ row: Int, _ half: Int) -> Int
    ) -> [Float] {
        precondition(values.count % (columns * head) == 0, "whole heads are reordered")
        return [Float](unsafeUninitializedCapacity: values.count) { result, initialized in
            for row in 0..<values.count / columns {
                let target = (row / head * head + place(row % head, head / 2)) * columns
                for column in 0..<columns { result[target + column] = values[row * columns + column] }
            }
            initialized = values.count
        }
    }
}
