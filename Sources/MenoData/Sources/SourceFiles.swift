internal import Foundation

/// The files that a path stands for.
package struct SourceFiles {
    struct File: Hashable {
        var url: URL
        /// What its records' places call it, where it is one of several.
        var name: String
    }

    /// - Parameter split: of a folder, which of its files; see ``DataSource/split``.
    /// - Throws: ``DataError`` where there is none.
    static func files(_ path: String, split: String? = nil, isForEvaluation: Bool = false) throws -> [File] {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
            guard isFolder.boolValue else { return [File(url: URL(filePath: path), name: path)] }
            return try ofFolder(path, split: split, isForEvaluation)
        }
        if path.contains(where: { "*?[".contains($0) }) { return try matching(path) }
        throw DataError(
            .notFound, at: path, "does not exist.", advice: "Check the path of the data.", settings: [.dataPath])
    }

    /// What the name of a file of records ends with, before `.gz` and `.zst`.
    static func isOfRecords(_ name: String) -> Bool {
        var url = URL(filePath: name)
        guard !others.contains(url.lastPathComponent) else { return false }
        if Compression.allCases.contains(where: { $0.nameExtension == url.pathExtension.lowercased() }) {
            url.deletePathExtension()
        }
        return SourceFile.Kind.byExtension[url.pathExtension.lowercased()] != nil
    }

    /// What lies beside data of `datasets`, and is none.
    private static let others: Set<String> = [
        "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json",
    ]

    /// Whether a path is named as a file of records is.
    package static func isOfRecordsByName(_ path: String) -> Bool { isOfRecords(path) }

    /// Whether a folder has files of records, cannot be looked through for them, or is empty.
    package static func mayHoldRecords(_ folder: String) -> Bool {
        do {
            return try !files(folder).isEmpty
        } catch {
            let isWithout = (error as? DataError)?.code == .empty
            return !isWithout || (try? FileManager.default.contentsOfDirectory(atPath: folder))?.isEmpty == true
        }
    }

    // MARK: Folders

    private static func ofFolder(_ path: String, split: String?, _ isForEvaluation: Bool) throws -> [File] {
        let names = try listing(path).filter(isOfRecords)
        guard !names.isEmpty else {
            let known = SourceFile.Kind.byExtension.keys.sorted().map { ".\($0)" }.joined(separator: ", ")
            throw DataError(
                .empty, at: path, "is a folder without files of records (\(known), each also .gz or .zst).",
                advice: "Check the path of the data.", settings: [.dataPath])
        }
        return try chosen(names, of: path, split: split, isForEvaluation).map {
            File(url: URL(filePath: path).appending(path: $0), name: $0)
        }
    }

    /// Names that tell a split, as `datasets` reads them.
    private static let splits: [(name: String, words: Set<Substring>)] = [
        ("train", ["train", "training"]), ("validation", ["validation", "valid", "dev", "val"]),
        ("test", ["test", "testing", "eval", "evaluation"]),
    ]

    private static func split(of name: String) -> String? {
        let words = Set(name.lowercased().split { !$0.isLetter && !$0.isNumber })
        return splits.first { !$0.words.isDisjoint(with: words) }?.name
    }

    private static func chosen(_ names: [String], of path: String, split: String?, _ isForEvaluation: Bool) throws
        -> [String]
    {
        let found = Dictionary(grouping: names) { Self.split(of: $0) ?? "" }
        guard let split else {
            if isForEvaluation { return found["validation"] ?? found["test"] ?? names }
            // Beside files for training, those for tests are no data to train on.
            return found["train"] ?? names
        }
        let wanted = Self.split(of: split) ?? split
        let files = found[wanted] ?? names.filter { $0.split { !$0.isLetter && !$0.isNumber }.contains { $0 == split } }
        guard !files.isEmpty else {
            let known = found.keys.filter { !$0.isEmpty }.sorted()
            throw DataError(
                .notFound, at: path, "has no files of the split \"\(split)\".",
                advice: known.isEmpty
                    ? "A split is recognised by the file name, such as train.jsonl."
                    : "It has: \(known.joined(separator: ", ")).")
        }
        return files
    }

    /// All files below a folder, by their paths in it, in order.
    /// - Throws: ``DataError`` where symbolic links lead in a circle, or to nothing.
    private static func listing(_ root: String) throws -> [String] {
        var found: [String] = []
        try walk(root, "", above: [], &found)
        return found.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    private struct Identity: Hashable {
        var device: UInt64
        var node: UInt64
    }

    private static func walk(_ root: String, _ inner: String, above: [Identity], _ found: inout [String]) throws {
        let folder = inner.isEmpty ? root : root + "/" + inner
        var status = stat()
        guard stat(folder, &status) == 0 else { return }
        let identity = Identity(device: UInt64(status.st_dev), node: UInt64(status.st_ino))
        guard !above.contains(identity) else {
            throw DataError(
                .malformed, at: folder, "is a symbolic link to a folder that it lies in: links lead in a circle.",
                advice: "Remove the link, or name the files.")
        }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw DataError(.notFound, at: folder, "cannot be read (\(error.localizedDescription)).")
        }
        for name in names where !name.hasPrefix(".") && !name.hasPrefix("_") {
            let path = inner.isEmpty ? name : inner + "/" + name
            guard stat(root + "/" + path, &status) == 0 else {
                guard isOfRecords(name) else { continue }
                throw DataError(
                    .notFound, at: root + "/" + path, "is a symbolic link to nothing.", advice: "Remove the link.")
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                try walk(root, path, above: above + [identity], &found)
            } else {
                found.append(path)
            }
        }
    }

    // MARK: Patterns

    private static func matching(_ pattern: String) throws -> [File] {
        let parts = pattern.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let plain = parts.prefix { part in !part.contains { "*?[".contains($0) } }
        var root = plain.joined(separator: "/")
        if root.isEmpty { root = pattern.hasPrefix("/") ? "/" : "." }
        let rest = Array(parts[plain.count...])
        let names =
            rest.contains("**") || FileManager.default.fileExists(atPath: root) ? try candidates(root, rest) : []
        guard !names.isEmpty else {
            throw DataError(
                .notFound, at: pattern, "matches no file.",
                advice: "Check the pattern: * and ? stand for parts of a name, ** for folders.",
                settings: [.dataPath])
        }
        return names.map { name in
            let path = root == "." ? name : root == "/" ? "/" + name : root + "/" + name
            return File(url: URL(filePath: path), name: name)
        }
    }

    private static func candidates(_ root: String, _ pattern: [String]) throws -> [String] {
        // A name may hold a folder's part only where ** or further parts ask for it, so that nothing else is walked through.
        guard pattern.count > 1 else {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
            return names.filter { matches([$0], pattern) && !isFolder(root + "/" + $0) }
                .sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        }
        return try listing(root).filter {
            matches($0.split(separator: "/").map(String.init), pattern)
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    private static func matches(_ parts: [String], _ pattern: [String]) -> Bool {
        guard let first = pattern.first else { return parts.isEmpty }
        let rest = Array(pattern.dropFirst())
        if first == "**" { return (0...parts.count).contains { matches(Array(parts[$0...]), rest) } }
        guard let part = parts.first, fnmatch(first, part, FNM_PERIOD) == 0 else { return false }
        return matches(Array(parts.dropFirst()), rest)
    }
}
