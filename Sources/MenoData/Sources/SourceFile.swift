package import Foundation

/// A file of records, which can be read from its beginning any number of times.
package struct SourceFile: Sendable {
    /// What a file holds.
    package enum Kind: Sendable, Hashable {
        case json
        /// JSON, a record a line.
        case lines
        case table(separator: UInt8)
        case text
        case parquet

        /// By the end of a file's name: what the names of files of records end with.
        static let byExtension: [String: Kind] = [
            "json": .json, "jsonl": .lines, "ndjson": .lines, "csv": .table(separator: UInt8(ascii: ",")),
            "tsv": .table(separator: UInt8(ascii: "\t")), "txt": .text, "text": .text, "parquet": .parquet,
            "pq": .parquet,
        ]
    }

    package let path: String
    /// What its records' places call it; `nil` where it is the only one.
    package let name: String?
    package let kind: Kind
    package var unit = TextUnit.line
    private let compression: Compression?
    /// What can be read only once, or was given as bytes.
    private let data: Data?
    /// Which version of the file was looked into.
    private let version: FileVersion?
    /// The byte order mark at the beginning of the text.
    private let mark: TextMark?
    /// Where the text begins in the file; `nil` where it does not lie there as it is read.
    var textOffset: Int? {
        data == nil && compression == nil && (mark == nil || mark == .utf8) ? mark?.bytes.count ?? 0 : nil
    }

    /// Looks into a file.
    /// - Throws: ``DataError`` where it cannot be opened, or is not what it begins as.
    package init(_ url: URL, name: String? = nil) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw DataError(
                .notFound, at: url.path, "does not exist.", advice: "Check the path of the data.", settings: [.dataPath]
            )
        }
        guard !isFolder.boolValue else {
            throw DataError(.malformed, at: url.path, "is a folder.", advice: "Give a file in it.")
        }
        var status = stat()
        if stat(url.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            try self.init(url, name: name, data: nil)
            return
        }
        // A pipe can only be opened once and read from its beginning to its end.
        let data: Data
        do {
            data = try FileHandle(forReadingFrom: url).readToEnd() ?? Data()
        } catch {
            throw DataError(.notFound, at: url.path, "cannot be read (\(error.localizedDescription)).")
        }
        try self.init(data, of: url, name: name)
    }

    /// Takes bytes for those of a file.
    package init(_ data: Data, of url: URL, name: String? = nil) throws {
        try self.init(url, name: name, data: data)
    }

    private init(_ url: URL, name: String?, data: Data?) throws {
        (path, self.name, self.data) = (url.path, name, data)
        version = data == nil ? FileVersion(url.path) : nil
        let raw = { () throws -> any ByteStream in try data.map { DataByteStream($0) } ?? FileByteStream(url.path) }
        let packedStart = try raw().start(16)
        compression = Compression(start: packedStart)
        let named = Compression.allCases.first { $0.nameExtension == url.pathExtension.lowercased() }
        if let named, compression == nil {
            throw DataError(
                .malformed, at: url.path,
                packedStart.isEmpty
                    ? "is empty, and is named as a .\(named.nameExtension) file."
                    : "is named as a .\(named.nameExtension) file, and is not compressed that way.",
                advice: "Get it again, or give it its right name.")
        }
        let start = try compression.map { try $0.unpack(raw(), path: url.path).start(64) } ?? raw().start(64)
        let inner = named == nil ? url : url.deletingPathExtension()
        let isKnown = Kind.byExtension[inner.pathExtension.lowercased()] != nil
        let isParquet = start.starts(with: Array("PAR1".utf8))
        if isParquet {
            kind = .parquet
        } else if let known = Kind.byExtension[inner.pathExtension.lowercased()] {
            kind = known
        } else {
            kind = .json
        }
        mark = isParquet ? nil : TextMark(start: start)
        if !isKnown, !isParquet { try requireJSON(start) }
    }

    /// The bytes of the file, as they lie there.
    package func bytes() throws -> any ByteStream {
        try data.map { DataByteStream($0) } ?? FileByteStream(path, expecting: version)
    }

    /// The bytes of the file, unpacked.
    private func unpacked() throws -> any ByteStream {
        let stream = try bytes()
        return try compression?.unpack(stream, path: path) ?? stream
    }

    /// The text in UTF-8, without a byte order mark, from its beginning.
    /// - Throws: ``DataError``
    package func open() throws -> any ByteStream {
        let stream = try unpacked()
        guard let mark else { return stream }
        _ = try stream.start(mark.bytes.count)
        return mark == .utf8 ? stream : TranscodingByteStream(stream, from: mark, path: path)
    }

    /// Reads the records of the file in order.
    /// - Throws: ``DataError``
    package func records() throws -> any RecordReader {
        switch kind {
        case .json, .lines: try JSONRecordReader(self)
        case .table(let separator): try TableRecordReader(self, separator: separator)
        case .text: try TextRecordReader(self, unit: unit)
        case .parquet:
            try ParquetRecordReader(self, data == nil && compression == nil ? nil : unpacked())
        }
    }
}

extension ByteStream {
    /// Reads the first bytes, as many as there are.
    func start(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let filled = try bytes.withUnsafeMutableBytes { try fill($0) }
        return Array(bytes[..<filled])
    }
}

extension SourceFile {
    /// What the names of files of records end with, before `.gz` and `.zst`.
    package static let extensions = Set(Kind.byExtension.keys).union(Compression.allCases.map(\.nameExtension))

    /// Where a file's name does not tell what it holds, it holds JSON.
    private func requireJSON(_ start: [UInt8]) throws {
        let skipped: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF, 0xFE, 0xFF, 0]
        guard let first = start.first(where: { !skipped.contains($0) }),
            ![UInt8(ascii: "{"), UInt8(ascii: "[")].contains(first)
        else { return }
        let packers = ["xz", "bz2", "zip", "tar", "tgz", "7z"]
        throw DataError(
            .malformed, at: path,
            "is no file of records: they are JSON (.json, .jsonl), tables (.csv, .tsv, .parquet) or text (.txt).",
            advice: packers.contains(URL(filePath: path).pathExtension.lowercased())
                ? "Unpack it first; .gz and .zst are read as they are."
                : "Give the file a name that tells what it holds.")
    }
}

/// What tells whether a file is still the one that was looked into.
struct FileVersion: Sendable, Hashable {
    private let size: Int
    private let seconds: Int
    private let nanoseconds: Int

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        size = Int(status.st_size)
        #if os(Linux)
            (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        #else
            (seconds, nanoseconds) = (status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec)
        #endif
    }
}
