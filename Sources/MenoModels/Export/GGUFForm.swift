internal import MenoFormats

/// How transformers' weights are named and laid out in GGUF files: ``WeightMap``, which says how they are read, taken back.
package struct GGUFForm: Sendable {
    private let map: WeightMap
    /// What the queries of the file are multiplied by, since llama.cpp multiplies their scores otherwise than the model.
    private let queryScale: Float
    private let names: WeightNames
    private let scaledParts: Set<WeightPart>

    package init(_ configuration: DecoderConfiguration) {
        let configuration = configuration.inGGUF
        map = .gguf(configuration)
        names = configuration.architecture.names
        queryScale = Float(configuration.ggufScaleRatio)
        // Where queries are normalized, a larger weight before that would change nothing.
        scaledParts = configuration.layers[0].attention.queryKeyNorm == nil ? [.query] : [.queryNorm]
    }

    /// The name in a GGUF file of one of a text model's weights.
    package func name(of parameter: String) -> String { map.entry(parameter).name }

    /// Whether it is one of as many weights as there are experts, which a GGUF file holds in one tensor.
    package func isOfExpert(_ parameter: String) -> Bool {
        if case .expert = map.entry(parameter).transformation { true } else { false }
    }

    /// Whole heads are written at once where their rows are reordered: how many rows belong together.
    package func rowsTogether(_ parameter: String, rows: Int) -> Int {
        switch map.entry(parameter).transformation {
        case .unpermuteHeads(let heads): rows / heads
        case .groupByKey: rows
        default: 1
        }
    }

    /// Brings rows into the form of a GGUF file.
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

    /// What a weight of the file is multiplied by; `nil`: by nothing.
    func factor(of parameter: String) -> Float? {
        guard queryScale != 1, let place = names.place(transformers: parameter), scaledParts.contains(place.part) else {
            return nil
        }
        return queryScale
    }

    /// Brings rows of a GGUF file into transformers' form; the opposite of ``write(_:_:columns:rows:)``.
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

    /// Where each row of a model that has queries, key and value of a key together lies in a file that has all queries first.
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

    /// - Parameter place: where a head's row goes, given half the rows of a head.
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
