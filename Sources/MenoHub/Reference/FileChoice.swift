/// Which files of a repository are needed.
struct FileChoice {
    /// Small files, including the shard index.
    let companions: [String]
    /// The weights, except for shards named by an index.
    let weights: [String]
    /// `model.safetensors.index.json`, if there is one.
    let index: String?
    /// Names that programs look for but the repository does not have.
    let absences: [String]
    /// The `.gguf` file meant by the reference; of a split file, the first part.
    let only: String?

    /// - Parameter names: all files of the repository.
    /// - Throws: ``HubError`` with advice if there is nothing that can be read.
    init(_ reference: HubReference, _ parts: HubParts, names: [String]) throws {
        if parts == .dataset {
            let files = try DatasetFileNames.chosen(reference, names)
            (companions, weights, index, absences, only) = ([], files, nil, [], nil)
            return
        }
        let has = Set(names).contains
        let isGGUF = reference.selector != nil || (parts != .adapter && Self.holdsGGUFAlone(names))
        if isGGUF {
            let files = try GGUFChoice(reference: reference, names: names).files()
            (companions, weights, index, absences, only) = ([], files, nil, [], files[0])
            return
        }
        let wanted = ModelFileNames.companions(parts)
        let candidates = wanted + (parts == .model ? [ModelFileNames.weights, ModelFileNames.index] : [])
        absences = candidates.filter { !has($0) }
        only = nil
        switch parts {
        case .tokenizer, .dataset:
            (companions, weights, index) = (wanted.filter(has), [], nil)
        case .adapter:
            guard has(ModelFileNames.adapterConfiguration) else {
                throw HubError(
                    .unsupported, at: reference.id,
                    "is not an adapter: it has no \(ModelFileNames.adapterConfiguration).")
            }
            (companions, weights, index) = (
                wanted.filter(has), try Self.weights([ModelFileNames.adapterWeights], names, reference), nil
            )
        case .model:
            guard has(ModelFileNames.configuration) else {
                // Files that show it is not a model lead to a specific error.
                guard has(ModelFileNames.adapterConfiguration) else {
                    throw HubError(
                        .unsupported, at: reference.id,
                        "is not a supported model: it has neither a config.json nor a "
                            + ".gguf file.")
                }
                (companions, weights, index) = ([ModelFileNames.adapterConfiguration], [], nil)
                return
            }
            let isSharded = !has(ModelFileNames.weights) && has(ModelFileNames.index)
            index = isSharded ? ModelFileNames.index : nil
            companions = wanted.filter(has) + (isSharded ? [ModelFileNames.index] : [])
            weights = isSharded ? [] : try Self.weights([ModelFileNames.weights], names, reference)
        }
    }

    /// The same weights under the names used by Mistral's library.
    private static let consolidated = "consolidated"

    private static func holdsGGUFAlone(_ names: [String]) -> Bool {
        !ModelFileNames.models(names).isEmpty && !names.contains { $0.hasSuffix(".safetensors") && !$0.contains("/") }
    }

    /// The weights of the given name, or else the only safetensors file beside the configuration.
    private static func weights(_ wanted: [String], _ names: [String], _ reference: HubReference) throws -> [String] {
        if wanted.allSatisfy(names.contains) { return wanted }
        let others = names.filter {
            $0.hasSuffix(".safetensors") && !$0.contains("/") && !$0.hasPrefix("adapter_model")
                && !$0.hasPrefix(consolidated)
        }
        if others.count == 1, wanted == [ModelFileNames.weights] { return others }
        guard others.isEmpty else {
            throw HubError(
                .unsupported, at: reference.id,
                "has \(others.count) safetensors files and no \(ModelFileNames.index): "
                    + "\(others.prefix(8).joined(separator: ", ")).")
        }
        guard let foreign = names.first(where: ModelFileNames.isForeignWeights) else {
            throw HubError(.unsupported, at: reference.id, "has no weights: neither \(wanted[0]) nor a .gguf file.")
        }
        throw HubError(
            .unsupported, at: reference.id,
            "its weights are \(foreign), which is not downloaded because loading such a file can run arbitrary code.",
            advice:
                "Look for a revision in safetensors, such as \(reference.id)@refs/pr/1 where the pull requests of its page "
                + "offer one, or convert it: transformers' `from_pretrained` and `save_pretrained` write safetensors.")
    }

    static func isShard(_ name: String) -> Bool { name.wholeMatch(of: #/[^\/]+-\d{5}-of-\d{5}\.safetensors/#) != nil }
}
