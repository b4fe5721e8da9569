internal import Foundation
internal import MenoFormats

/// Which `.gguf` file of a repository a reference means: one, or the parts of one that is divided.
struct GGUFChoice {
    let reference: HubReference
    /// The files of the repository.
    let names: [String]

    /// - Returns: the file, or the parts in their order.
    /// - Throws: ``HubError`` where there is none of the name or quantisation, where it could be several, or where a part is
    ///   missing.
    func files() throws -> [String] {
        let models = ModelFileNames.models(names)
        guard !models.isEmpty else {
            throw HubError(
                .unsupported, at: reference.id, "has no .gguf file\(asked).", advice: "Name the model by its id alone.")
        }
        guard let selector = reference.selector else {
            guard let files = try only(models) else { throw several(models, "has \(models.count) .gguf files") }
            return files
        }
        if selector.lowercased().hasSuffix(".gguf") {
            guard let name = names.first(where: { $0 == selector }) else {
                throw HubError(
                    .notFound, at: reference.id, "has no file \(selector).", advice: "It has \(Self.list(models)).")
            }
            return try parts(name)
        }
        let matches = models.filter { Self.isQuantized($0, as: selector) }
        guard !matches.isEmpty else {
            throw HubError(
                .notFound, at: reference.id, "has no .gguf file with the quantisation \(selector).",
                advice: "It has \(Self.list(models)).")
        }
        guard let files = try only(matches) else {
            throw several(matches, "has \(matches.count) files of \(selector)")
        }
        return files
    }

    /// The one file among these, or the parts of one; `nil` where there are several.
    private func only(_ names: [String]) throws -> [String]? {
        if names.count > 1 {
            guard let first = GGUFPartName(names[0]),
                names.allSatisfy({ GGUFPartName($0)?.belongs(with: first) ?? false })
            else { return nil }
        }
        return try parts(names[0])
    }

    private var asked: String { reference.selector.map { ", and so none for \"\($0)\"" } ?? "" }

    private func several(_ names: [String], _ what: String) -> HubError {
        HubError(
            .unsupported, at: reference.id, "\(what): \(Self.list(names)).",
            advice: "Name one, as in \(reference.id):\(names[0]), or its quantisation, as in \(reference.id):Q4_K_M.")
    }

    private func parts(_ name: String) throws -> [String] {
        guard let part = GGUFPartName(name) else { return [name] }
        let parts = names.compactMap { name in
            GGUFPartName(name).flatMap { $0.belongs(with: part) ? (number: $0.number, name: name) : nil }
        }.sorted { $0.number < $1.number }
        guard parts.map(\.number) == Array(1...part.count) else {
            throw HubError(
                .unsupported, at: reference.id, "has \(parts.count) of the \(part.count) parts that \(name) belongs to."
            )
        }
        return parts.map(\.name)
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

    private static func list(_ names: [String]) -> String {
        names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
    }
}
