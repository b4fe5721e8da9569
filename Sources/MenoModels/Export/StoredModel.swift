package import Foundation
package import MenoFormats
internal import MenoTensor

/// The weights of a model as its files hold them, by transformers' names, read a few rows at a time.
package final class StoredModel {
    /// A weight, by its name in transformers' standalone text model.
    package struct Parameter: Sendable {
        package var name: String
        package var shape: [Int]
        /// The tensor in the file.
        package var stored: WeightInfo
        /// Its slice, where the file has the matrices of all experts in one tensor.
        var expert: ExpertSlice?
        /// Whether the file has it as `[in, out]`.
        var isTransposed = false

        package var rows: Int { shape.count > 1 ? shape[0] : shape.reduce(1, *) }
        package var columns: Int { shape.dropFirst().reduce(1, *) }
        /// The number of values.
        package var count: Int { shape.reduce(1, *) }
        /// Whether this is a matrix: everything except norms and biases.
        package var isMatrix: Bool { shape.count > 1 }
    }

    package let url: URL
    package let configuration: DecoderConfiguration
    /// Every weight once, in the order in which a model is computed.
    package let parameters: [Parameter]
    /// The file, where the model is a GGUF file.
    package let gguf: GGUFFile?
    private let source: any WeightSource
    private let form: GGUFForm

    /// Opens a model's files and checks that every weight is there.
    package init(_ url: URL) throws {
        let files = try ModelFiles(url)
        self.url = url
        var configuration = files.configuration
        // Exported text models are standalone.
        configuration.isTextPart = false
        self.configuration = configuration
        let source = try WeightFiles.open(url)
        let gguf = source as? GGUFFile
        (self.source, self.gguf) = (source, gguf)
        form = GGUFForm(configuration)
        let map = gguf == nil ? WeightMap.huggingFace(source, configuration.architecture.names) : .gguf(configuration)
        parameters = try Self.parameters(of: configuration).map { name, shape in
            let (stored, transformation) = map.entry(name)
            let expected = transformation.storedShape(shape)
            guard let info = source.weight(named: stored), info.shape == expected else {
                let found = source.weight(named: stored).map { "has the shape \($0.shape)" } ?? "is missing"
                throw ModelError(
                    .malformed, at: url.path,
                    "the tensor \"\(stored)\" \(found); the configuration requires \(expected).")
            }
            var parameter = Parameter(name: name, shape: shape, stored: info)
            if case .expert(let slice) = transformation { parameter.expert = slice }
            if case .transpose = transformation { parameter.isTransposed = true }
            return parameter
        }
    }

    package func parameter(named name: String) -> Parameter? { parameters.first { $0.name == name } }

    /// Rows of a weight in float32, in transformers' layout.
    /// - Parameter rows: in a GGUF file, as many as ``GGUFForm/rowsTogether(_:rows:)`` says, or a multiple.
    package func read(_ parameter: Parameter, rows: Range<Int>) throws -> [Float] {
        let (columns, name) = (parameter.columns, parameter.stored.name)
        if let slice = parameter.expert, !slice.isWhole(parameter.shape) {
            let whole = try source.tensor(parameter.stored, slice, parameter.shape, dtype: .float32)
            return try whole.narrowed(0, start: rows.lowerBound, count: rows.count).contiguous().array()
        }
        if parameter.isTransposed {
            let whole = try source.whole(parameter.stored).transposed()
            return try whole.narrowed(0, start: rows.lowerBound, count: rows.count).contiguous().array()
        }
        let first = parameter.expert?.elements(parameter.shape).lowerBound ?? 0
        let elements = first + rows.lowerBound * columns..<first + rows.upperBound * columns
        var values = try [Float](unsafeUninitializedCapacity: elements.count) { buffer, initialized in
            let part = UnsafeMutableRawBufferPointer(
                rebasing: UnsafeMutableRawBufferPointer(buffer)[..<(4 * elements.count)])
            try source.read(name, elements: elements, as: .float32, into: part)
            initialized = elements.count
        }
        if gguf != nil { form.read(parameter.name, &values, columns: columns, rows: parameter.rows) }
        return values
    }

    /// Names and shapes of a decoder's weights, found by building it.
    private static func parameters(of configuration: DecoderConfiguration) throws -> [(name: String, shape: [Int])] {
        let names = Names()
        let nothing = try Tensor.zeros([1])
        // A zero that is expanded to the shape: the model takes no memory.
        let shaped = { (name: String, shape: [Int]) in
            names.all.append((name, shape))
            return try shape.isEmpty ? Tensor.zeros([]) : nothing.expanded(shape)
        }
        _ = try Decoder(
            configuration, weightType: .float32, device: .cpu,
            matrix: { name, shape in FrozenMatrix(try shaped(name, shape)) },
            weight: { name, shape, _ in try shaped(name, shape) })
        return names.all
    }

    private final class Names { var all: [(name: String, shape: [Int])] = [] }
}
