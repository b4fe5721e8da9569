package import MenoData
internal import MenoFormats
internal import Yams

extension RunConfiguration.Data {
    /// `data.path` as a list.
    var paths: [String] {
        get { path.isEmpty ? furtherPaths : [path] + furtherPaths }
        set { (path, furtherPaths) = (newValue.first ?? "", Array(newValue.dropFirst())) }
    }

    /// The sources of records.
    package var allSources: [DataSource] { sources.isEmpty ? [DataSource(paths)] : sources }

    /// The names of the sources in errors and reports.
    package var sourceNames: String { allSources.flatMap(\.paths).joined(separator: ", ") }
}

extension ValueKind where Value == [DataSource] {
    /// A list of mappings.
    static var sources: Self {
        Self(
            expected:
                "a list of {path, weight, max_samples, format, split}, of which all but path may be left out, or null"
        ) { node in
            if isNull(node) { return [] }
            guard let entries = node.sequence else { return nil }
            var sources: [DataSource] = []
            for entry in entries {
                guard let source = source(entry) else { return nil }
                sources.append(source)
            }
            return sources
        } write: { sources in
            "[\(sources.map(text).joined(separator: ", "))]"
        }
    }

    private static func source(_ node: Node) -> DataSource? {
        guard let members = node.mapping, let path = members["path"],
            let paths = ValueKind<[String]>.texts.read(path)
        else { return nil }
        var source = DataSource(paths)
        for (key, value) in members where !isNull(value) {
            let text = value.scalar?.string
            switch key.scalar?.string {
            case "path": continue
            case "weight":
                guard let weight = text.flatMap(Double.init) else { return nil }
                source.weight = weight
            case "max_samples":
                guard let count = text.flatMap({ Int($0) }), count > 0 else { return nil }
                source.maxSamples = count
            case "format":
                guard let format = text.flatMap(RecordFormat.init) else { return nil }
                source.format = format
            case "split":
                guard let text else { return nil }
                source.split = text
            default: return nil
            }
        }
        return source
    }

    private static func text(_ source: DataSource) -> String {
        var members = ["path: \(ValueKind<[String]>.texts.write(source.paths))"]
        if let weight = source.weight { members.append("weight: \(weight)") }
        if let count = source.maxSamples { members.append("max_samples: \(count)") }
        if source.format != .auto { members.append("format: \(source.format.rawValue)") }
        if let split = source.split { members.append("split: \(ValueKind<String>.text.write(split))") }
        return "{\(members.joined(separator: ", "))}"
    }
}

extension ValueKind where Value == RecordMapping {
    /// A mapping from the usual names to those in the data.
    static var mapping: Self {
        let known = RecordMapping.records + RecordMapping.turns + RecordMapping.speakers
        return Self(expected: "a mapping of some of \(known.joined(separator: ", ")) to names of the data, or null") {
            node in
            if isNull(node) { return RecordMapping() }
            guard let members = node.mapping else { return nil }
            var names: [String: String] = [:]
            for (key, value) in members {
                guard let key = key.scalar?.string, known.contains(key), let name = value.scalar?.string else {
                    return nil
                }
                names[key] = name
            }
            return RecordMapping(names)
        } write: { mapping in
            JSONValue.object(
                mapping.names.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }
            ).description
        }
    }
}

extension ValueKind where Value == [String] {
    /// Paths, written as one text or as a list.
    static var paths: Self {
        Self(expected: texts.expected) { node in
            texts.read(node)?.filter { !$0.isEmpty }
        } write: { paths in
            paths.count == 1 ? ValueKind<String>.text.write(paths[0]) : paths.isEmpty ? "\"\"" : texts.write(paths)
        }
    }
}
