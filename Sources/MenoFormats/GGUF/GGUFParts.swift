package import Foundation

/// The names of the files of a model that llama.cpp's `gguf-split` has split: `model-00001-of-00003.gguf`.
package struct GGUFPartName: Sendable, Hashable {
    /// The common prefix of all parts' names.
    package let prefix: String
    /// From 1 on.
    package let number: Int
    package let count: Int

    /// `nil` if a name is not that of a part.
    package init?(_ name: String) {
        guard let match = name.wholeMatch(of: /(.+)-(\d{5})-of-(\d{5})\.(?i:gguf)/), let number = Int(match.2),
            let count = Int(match.3), number > 0, number <= count
        else { return nil }
        (prefix, self.number, self.count) = (String(match.1), number, count)
    }

    /// Whether both are parts of the same model.
    package func belongs(with other: GGUFPartName) -> Bool { prefix == other.prefix && count == other.count }

    /// The names of all parts, with this one's extension.
    static func names(_ part: GGUFPartName) -> [String] {
        let padded = { (number: Int) in String(repeating: "0", count: 5 - String(number).count) + String(number) }
        return (1...part.count).map { "\(part.prefix)-\(padded($0))-of-\(padded(part.count)).gguf" }
    }
}

extension GGUFFile {
    /// The other files of a split model, next to its first.
    /// - Throws: ``FormatError`` if one is missing or does not match its name.
    static func otherParts(
        of file: MemoryMappedFile, _ metadata: GGUFMetadata
    ) throws -> [(file: MemoryMappedFile, parsed: GGUFParser)] {
        let count = try metadata.int("split.count", default: nil) ?? 0
        guard count > 1 else { return [] }
        let url = URL(filePath: file.path)
        guard let name = GGUFPartName(url.lastPathComponent), name.count == count else {
            throw FormatError(
                .unsupported, at: file.path, "is one of \(count) parts of a model, but its name does not say which.",
                advice: "Parts are named like model-00001-of-0000\(min(count, 9)).gguf and are in the same folder.")
        }
        let number = try metadata.int("split.no", default: 0)
        guard name.number == 1, number == 0 else {
            throw FormatError(
                .unsupported, at: file.path, "is part \(name.number) of \(count) of a model.",
                advice: "Give the first, \(GGUFPartName.names(name)[0]), which describes the model.")
        }
        return try GGUFPartName.names(name).enumerated().dropFirst().map { index, name in
            let part = try MemoryMappedFile(contentsOf: url.deletingLastPathComponent().appending(path: name))
            let parsed = try part.withUnsafeBytes { try GGUFParser(parsing: part, $0) }
            guard try parsed.metadata.int("split.no", default: nil) == index,
                try parsed.metadata.int("split.count", default: nil) == count
            else {
                throw FormatError(
                    .malformed, at: part.path, "is not part \(index + 1) of \(count), as its name says.",
                    advice: "Download the parts again; all of them belong to one model.")
            }
            return (part, parsed)
        }
    }
}
