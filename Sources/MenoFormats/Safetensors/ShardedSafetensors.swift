package import Foundation

/// The index of a model in several safetensors files (`model.safetensors.index.json`).
package struct SafetensorsIndex: Sendable {
    /// The shard of each tensor, in the order of the index.
    package let entries: [(tensor: String, shard: String)]
    /// The file names of the shards, each once, in the order of their first mention.
    package let shards: [String]

    /// Reads an index.
    /// - Throws: ``FormatError`` when it is no index, names a tensor twice, or a shard outside its own folder.
    package init(contentsOf url: URL) throws {
        try self.init(MemoryMappedFile(contentsOf: url))
    }

    /// Reads an index that is mapped already.
    package init(_ file: MemoryMappedFile) throws {
        (entries, shards) = try file.withUnsafeBytes { try Self.parse($0, path: file.path) }
    }

    private static func parse(
        _ bytes: UnsafeRawBufferPointer, path: String
    ) throws -> (entries: [(tensor: String, shard: String)], shards: [String]) {
        var entries: [(tensor: String, shard: String)] = []
        var shards: [String] = []
        var knownShards: Set<String> = []
        var knownTensors: Set<String> = []
        var hasMap = false
        var scanner = JSONScanner(bytes, path: path, name: "index")
        try scanner.object { scanner, key in
            guard key == "weight_map" else { return try scanner.skip() }
            guard !hasMap else { throw scanner.malformed("'weight_map' appears twice.") }
            hasMap = true
            try scanner.object { scanner, tensor in
                let shard = try scanner.string()
                guard knownTensors.insert(tensor).inserted else {
                    throw scanner.malformed("tensor '\(tensor)' appears twice.")
                }
                // An index comes from elsewhere: it must not lead out of the model's folder.
                guard !shard.isEmpty, !shard.contains("/"), !shard.contains("\0"), shard != "..", shard != "." else {
                    throw scanner.malformed("'\(shard)' is not the name of a file beside the index.")
                }
                if knownShards.insert(shard).inserted { shards.append(shard) }
                entries.append((tensor, shard))
            }
        }
        try scanner.end()
        guard hasMap else {
            throw FormatError(
                .malformed, at: path, "has no 'weight_map'.",
                advice: "Expected {\"weight_map\": {\"tensor\": \"shard.safetensors\", …}}.")
        }
        return (entries, shards)
    }
}

/// A model in several safetensors files, read through its index.
package final class ShardedSafetensors: WeightSource, SafetensorsTensors {
    package let weights: [WeightInfo]
    /// The shards, in the order of their first mention.
    package let shards: [SafetensorsFile]
    private let places: [String: (shard: Int, weight: Int)]
    let path: String

    /// Opens the index and every shard, and checks that each tensor is where the index says.
    /// - Throws: ``FormatError``, naming the missing shard, or the tensor that its shard lacks.
    package init(index url: URL) throws {
        let index = try SafetensorsIndex(contentsOf: url)
        path = url.path
        let folder = url.deletingLastPathComponent()
        var shards: [SafetensorsFile] = []
        var numbers: [String: Int] = [:]
        for name in index.shards {
            do {
                numbers[name] = shards.count
                shards.append(try SafetensorsFile(contentsOf: folder.appending(path: name)))
            } catch let error as FormatError where error.code == .notFound {
                throw FormatError(
                    .notFound, at: url.path,
                    "names the shard '\(name)', which is not in \(folder.path) (\(index.shards.count) shards in all).",
                    advice: "Download the missing file into that folder.")
            }
        }
        var weights: [WeightInfo] = []
        var places: [String: (shard: Int, weight: Int)] = [:]
        for (tensor, shard) in index.entries {
            guard let number = numbers[shard], let weight = shards[number].weight(named: tensor) else {
                throw FormatError(
                    .malformed, at: url.path,
                    "says that tensor '\(tensor)' is in '\(shard)', but that file does not have it.",
                    advice:
                        "The index and the shards come from different versions of the model: download all of them again."
                )
            }
            places[tensor] = (number, weights.count)
            weights.append(weight)
        }
        self.weights = weights
        self.shards = shards
        self.places = places
    }

    package func weight(named name: String) -> WeightInfo? {
        places[name].map { weights[$0.weight] }
    }

    func file(holding name: String) -> SafetensorsFile? { places[name].map { shards[$0.shard] } }

    package func read(
        _ name: String, elements: Range<Int>, as elementType: WeightElementType,
        into destination: UnsafeMutableRawBufferPointer
    ) throws {
        try shard(of: name).read(name, elements: elements, as: elementType, into: destination)
    }

    /// The file that has a tensor.
    func shard(of name: String) throws -> SafetensorsFile {
        guard let place = places[name] else { throw FormatError.noTensor(name, path: path) }
        return shards[place.shard]
    }
}
