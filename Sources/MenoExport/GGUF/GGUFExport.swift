package import Foundation
package import MenoFormats
package import MenoModels

/// Writes a model, its adapter merged into it, as a GGUF file.
package struct GGUFExport {
    package let merged: MergedModel
    /// `nil`, for a model from a GGUF file: tensors stay as they are, bit for bit; those that the adapter changes become
    /// ``changedType``.
    package let fileType: GGUFFileType?
    package let changedType: GGUFFileType
    /// What the file says about the tokenizer and the template, and of what else is not the model's shape.
    package let tokenizer: [(key: String, value: GGUFValue)]
    package let name: String

    /// What was written.
    package struct Report: Sendable {
        package var bytes: Int
        package var storage: [String: Int] = [:]
        /// Tensors that have another type than asked for, since their shape forbids it: how many by both types.
        package var fallbacks: [(wanted: String, type: String, tensors: Int)] = []
        /// Tensors that are the base's, bit for bit.
        package var copied = 0
        /// What llama.cpp computes otherwise with long texts.
        package var notes: [String] = []
    }

    package init(
        _ merged: MergedModel, fileType: GGUFFileType?, changedType: GGUFFileType = .F16,
        tokenizer: [(key: String, value: GGUFValue)], name: String
    ) throws {
        guard fileType != nil || merged.model.gguf != nil else {
            throw ExportError(
                .unsupported, at: merged.model.url.path,
                "a Hugging Face model becomes a GGUF file of one of the types "
                    + "\(GGUFFileType.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        self.merged = merged
        self.fileType = fileType
        self.changedType = changedType
        self.tokenizer = tokenizer
        self.name = name
    }

    /// A tensor of the file.
    private struct Item {
        var entry: GGUFWriter.Entry
        var wanted: GGUFTensorType
        enum Source {
            /// Several are those of all experts, one after the other.
            case parameters([StoredModel.Parameter])
            case copy(GGUFTensor)
            case values([Float])
        }
        var source: Source
    }

    /// - Parameter onProgress: called with the share of the work that is done.
    package func write(to url: URL, onProgress: (Double) -> Void = { _ in }) throws -> Report {
        let described = try merged.model.gguf == nil ? GGUFModelMetadata(of: merged.model) : nil
        let items = try items(described?.tensors ?? [])
        let writer = try GGUFWriter(to: url, metadata: metadata(described), tensors: items.map(\.entry))
        var report = Report(bytes: writer.fileSize, notes: described?.notes ?? [])
        let total = items.reduce(0) { $0 + ($1.entry.size ?? 0) }
        var done = 0
        var fallbacks: [[GGUFTensorType]: Int] = [:]
        for item in items {
            try write(item, writer)
            report.storage[item.entry.type.name, default: 0] += 1
            if item.wanted != item.entry.type { fallbacks[[item.wanted, item.entry.type], default: 0] += 1 }
            if case .copy = item.source { report.copied += 1 }
            done += item.entry.size ?? 0
            onProgress(Double(done) / Double(max(1, total)))
        }
        try writer.finish(synchronize: true)
        report.fallbacks = fallbacks.map { ($0.key[0].name, $0.key[1].name, $0.value) }.sorted { $0.wanted < $1.wanted }
        return report
    }

    private func write(_ item: Item, _ writer: GGUFWriter) throws {
        let (name, type) = (item.entry.name, item.entry.type)
        switch item.source {
        case .copy(let tensor):
            try writer.copy(tensor, of: merged.model.gguf!, as: name)
        case .values(let values):
            try values.encoded(as: type) { try writer.write(name, $0) }
        case .parameters(let parameters):
            let form = GGUFForm(merged.model.configuration)
            for parameter in parameters {
                let together = form.rowsTogether(parameter.name, rows: parameter.rows)
                try merged.forEachPart(of: parameter, together: together) { values in
                    form.write(parameter.name, &values, columns: parameter.columns, rows: parameter.rows)
                    try values.encoded(as: type) { try writer.write(name, $0) }
                }
            }
        }
    }

    // MARK: What the file holds

    private func items(_ factors: [(name: String, values: [Float])]) throws -> [Item] {
        let model = merged.model
        let groups = groups
        if let gguf = model.gguf {
            let parameters = Dictionary(uniqueKeysWithValues: groups.map { ($0.name, $0.parameters) })
            // In the order of the base, also what is no weight, such as frequencies.
            return gguf.tensors.map { tensor in
                let copy = Item(
                    entry: .init(tensor.name, tensor.type, tensor.shape), wanted: tensor.type, source: .copy(tensor))
                guard let parameters = parameters[tensor.name] else { return copy }
                let isChanged = parameters.contains(where: merged.isChanged)
                guard let asked = fileType ?? (isChanged ? changedType : nil) else { return copy }
                let choice = choice(asked, tensor.name, tensor.shape)
                if !isChanged && choice.type == tensor.type { return copy }
                return Item(
                    entry: .init(tensor.name, choice.type, tensor.shape), wanted: choice.wanted,
                    source: .parameters(parameters))
            }
        }
        let weights = groups.map { name, shape, parameters in
            let choice = choice(fileType ?? .F16, name, shape)
            return Item(
                entry: .init(name, choice.type, shape), wanted: choice.wanted, source: .parameters(parameters))
        }
        return weights
            + factors.map { name, values in
                Item(entry: .init(name, .F32, [values.count]), wanted: .F32, source: .values(values))
            }
    }

    /// The model's weights by the tensors that hold them: one each, or those of all experts.
    private var groups: [(name: String, shape: [Int], parameters: [StoredModel.Parameter])] {
        let form = GGUFForm(merged.model.configuration)
        var (result, indices) = ([(name: String, shape: [Int], parameters: [StoredModel.Parameter])](), [String: Int]())
        for parameter in merged.model.parameters {
            let name = form.name(of: parameter.name)
            guard form.isOfExpert(parameter.name) else {
                result.append((name, parameter.shape, [parameter]))
                continue
            }
            if let index = indices[name] {
                result[index].parameters.append(parameter)
                result[index].shape[0] += 1
            } else {
                indices[name] = result.count
                result.append((name, [1] + parameter.shape, [parameter]))
            }
        }
        return result
    }

    private func choice(
        _ asked: GGUFFileType, _ name: String, _ shape: [Int]
    ) -> GGUFFileType.Choice {
        let configuration = merged.model.configuration
        let isHead = name == "output.weight" || name == "token_embd.weight" && configuration.tiesEmbeddings
        let experts = configuration.layers.compactMap(\.feedForward.experts?.count).max() ?? 0
        return asked.choice(
            of: name, shape: shape, layerCount: configuration.layerCount, isHead: isHead, expertCount: experts)
    }

    /// - Parameter described: `nil`, where the base is a GGUF file, which describes itself.
    private func metadata(_ described: GGUFModelMetadata?) -> [(key: String, value: GGUFValue)] {
        var own: [(key: String, value: GGUFValue)] = [("general.name", .string(name))]
        if let fileType { own.append(("general.file_type", .uint32(fileType.number))) }
        own.append(("general.quantization_version", .uint32(2)))
        if let base = merged.model.gguf?.metadata {
            // Everything that the base says stays, in its order, but for what is different now.
            own += tokenizer
            let changed = Dictionary(own.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
            let kept = base.keys.map { (key: $0, value: changed[$0] ?? base[$0]!) }
            return kept + own.filter { !base.contains($0.key) }
        }
        var all = described?.pairs ?? []
        all.insert(("general.type", .string("model")), at: 1)
        all.insert(contentsOf: own, at: 2)
        return all + tokenizer
    }
}
