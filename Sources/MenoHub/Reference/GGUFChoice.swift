internal import Foundation

/// Which `.gguf` file of a repository a reference means.
struct GGUFChoice {
    let reference: HubReference
    /// The files of the repository.
    let names: [String]

    /// - Returns: the file.
    /// - Throws: ``HubError`` where there is none of the name or quantisation, where it could be several, or where the model is
    ///   split over several files.
    func file() throws -> String {
        let models = ModelFileNames.models(names)
        guard !models.isEmpty else {
            throw HubError(
                .unsupported, at: reference.id, "has no .gguf file\(asked).", advice: "Name the model by its id alone.")
        }
        guard let selector = reference.selector else {
            guard models.count == 1 else { throw several(models, "has \(models.count) .gguf files") }
            return try whole(models[0])
        }
        if selector.lowercased().hasSuffix(".gguf") {
            guard let name = names.first(where: { $0 == selector }) else {
                throw HubError(
                    .notFound, at: reference.id, "has no file \(selector).", advice: "It has \(Self.list(models)).")
            }
            return try whole(name)
        }
        let matches = models.filter { Self.isQuantized($0, as: selector) }
        guard let first = matches.first else {
            throw HubError(
                .notFound, at: reference.id, "has no .gguf file of the quantisation \(selector).",
                advice: "It has \(Self.list(models)).")
        }
        if matches.count > 1, matches.allSatisfy({ Self.isPart($0) }) { return try whole(first) }
        guard matches.count == 1 else { throw several(matches, "has \(matches.count) files of \(selector)") }
        return try whole(first)
    }

    private var asked: String { reference.selector.map { ", and so none for \"\($0)\"" } ?? "" }

    private func several(_ names: [String], _ what: String) -> HubError {
        HubError(
            .unsupported, at: reference.id, "\(what): \(Self.list(names)).",
            advice: "Name one, as in \(reference.id):\(names[0]), or its quantisation, as in \(reference.id):Q4_K_M.")
    }

    private func whole(_ name: String) throws -> String {
        guard !Self.isPart(name) else {
            throw HubError(
                .unsupported, at: reference.id, "\(name) is a part of a model that is split over several files.",
                advice: "Join them with llama.cpp's `llama-gguf-split --merge`, and give the path of the result.")
        }
        return name
    }

    /// `model-Q4_K_M.gguf`, `model.q4_k_m.gguf` and `Q4_K_M/model.gguf` are `Q4_K_M`; `model-IQ4_K_M.gguf` is not.
    static func isQuantized(_ name: String, as quantization: String) -> Bool {
        let separators = "/.-"
        let text = "/" + name.lowercased().replacing(#/(-\d{5}-of-\d{5})?\.gguf$/#, with: "") + "/"
        return text.ranges(of: quantization.lowercased()).contains { range in
            range.upperBound < text.endIndex && separators.contains(text[range.upperBound])
                && separators.contains(text[text.index(before: range.lowerBound)])
        }
    }

    private static func isPart(_ name: String) -> Bool { name.lowercased().contains(#/-\d{5}-of-\d{5}\.gguf$/#) }

    private static func list(_ names: [String]) -> String {
        names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
    }
}
