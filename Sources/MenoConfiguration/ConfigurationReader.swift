package import Foundation
internal import MenoErrors
internal import MenoModels
internal import Yams

extension RunConfiguration {
    /// Reads a file, then the overrides.
    /// - Parameter overrides: `key.path=value`, the value in YAML; later ones win.
    /// - Throws: ``ConfigurationError`` that names the file and line, or the override.
    package static func read(_ url: URL, overrides: [String] = []) throws -> RunConfiguration {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw ConfigurationError(.notFound, at: url.path, "does not exist.")
        }
        let data: Foundation.Data
        do {
            // Read through a handle, since it may be a pipe.
            data = try FileHandle(forReadingFrom: url).readToEnd() ?? Foundation.Data()
        } catch {
            throw ConfigurationError(.notFound, at: url.path, "cannot be read (\(error.localizedDescription)).")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw ConfigurationError(.invalid, at: url.path, "is not UTF-8 text.")
        }
        return try read(yaml: text, name: url.path, overrides: overrides)
    }

    /// Reads YAML text.
    /// - Parameter name: the name of the text in errors.
    package static func read(yaml: String, name: String, overrides: [String] = []) throws -> RunConfiguration {
        var reader = ConfigurationReader(name: name)
        try reader.read(yaml)
        for override in overrides { try reader.apply(override) }
        reader.finish()
        return try reader.configuration.validated(name)
    }
}

/// A section that is switched off if it is empty: `lora: null`.
private enum OptionalSection: String {
    case lora, monitor

    /// The section of a key.
    init?(of path: String) { self.init(rawValue: String(path.prefix { $0 != "." })) }

    func isOn(in configuration: RunConfiguration) -> Bool {
        switch self {
        case .lora: configuration.lora != nil
        case .monitor: configuration.monitor.isEnabled
        }
    }

    func set(_ isOn: Bool, in configuration: inout RunConfiguration) {
        switch self {
        case .lora: configuration.lora = isOn ? configuration.adapter : nil
        case .monitor: configuration.monitor.isEnabled = isOn
        }
    }
}

/// Reads one configuration.
private struct ConfigurationReader {
    let name: String
    var configuration = RunConfiguration.notebook
    /// The override that is being read, which is the place of errors in it.
    private var override: String?
    /// The places of the keys of the file or of one override, and of the sections that it switches off.
    private var written: [String: String] = [:]
    private var switchedOff: [OptionalSection: String] = [:]
    /// Every key that was given, in the file or by an override.
    private var given: Set<String> = []
    private static let keys = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.path, $0) })
    private static let sections = Set(ConfigurationKey.all.compactMap(\.section))

    init(name: String) { self.name = name }

    mutating func read(_ yaml: String) throws {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw ConfigurationError(.invalid, at: name, "is not YAML (\(cut("\(error)"))).")
        }
        guard let root, !isNull(root) else { return }
        guard let mapping = root.mapping else {
            throw ConfigurationError(.invalid, at: name, "must be a mapping of keys to values.")
        }
        try read(mapping, under: nil)
    }

    private mutating func read(_ mapping: Node.Mapping, under parent: String?) throws {
        for (key, node) in mapping {
            let path = [parent, key.scalar?.string ?? ""].compactMap(\.self).joined(separator: ".")
            guard Self.sections.contains(path) else {
                try note(path, place: place(key))
                try set(path, node, place: place(key))
                continue
            }
            if isNull(node) {
                guard let section = OptionalSection(rawValue: path) else { continue }
                section.set(false, in: &configuration)
                switchedOff[section] = place(key)
                try checkSwitchedOff()
            } else if let entries = node.mapping {
                try read(entries, under: path)
            } else {
                throw ConfigurationError(.invalid, at: place(node), "`\(path)` must be a mapping of keys to values.")
            }
        }
    }

    /// Records a key. YAML does not notice a repeated key if one of the two uses an alias, or is written with its section.
    private mutating func note(_ path: String, place: String) throws {
        let key = ConfigurationKey.synonyms[path] ?? path
        if let other = written.updateValue(place, forKey: key) {
            let isOther = key == path ? "" : ", for which `\(path)` is an alias"
            throw ConfigurationError(
                .invalid, at: place, "`\(key)` is written twice\(isOther); first at \(other).",
                advice: "Leave one of them out.")
        }
        try checkSwitchedOff()
    }

    /// Refuses a section that is switched off in the file if one of its keys is given elsewhere.
    private func checkSwitchedOff() throws {
        for (section, place) in switchedOff {
            guard let (key, other) = written.first(where: { OptionalSection(of: $0.key) == section }) else { continue }
            throw ConfigurationError(
                .invalid, at: place, "`\(section)` is switched off, so `\(key)` (\(other)) would have no effect.",
                advice: "Leave one of them out.")
        }
    }

    /// A key in a section that is switched off would otherwise have no effect, or switch the section on unexpectedly.
    private func requireOn(_ path: String, place: String) throws {
        guard path != "monitor.enabled" else { return }
        guard let section = OptionalSection(of: path), !section.isOn(in: configuration) else { return }
        throw ConfigurationError(
            .invalid, at: place, "`\(section)` is switched off, so `\(path)` would have no effect.",
            advice: "Switch it on with `--set '\(section)={}'` first, or leave `\(path)` out.")
    }

    mutating func apply(_ override: String) throws {
        (written, switchedOff) = ([:], [:])
        let place = "--set \(cut(override))"
        guard let equals = override.firstIndex(of: "=") else {
            throw ConfigurationError(.invalid, at: place, "expected key.path=value.")
        }
        let path = String(override[..<equals]).trimmingCharacters(in: .whitespaces)
        let node: Node
        do {
            node = try Yams.compose(yaml: String(override[override.index(after: equals)...])) ?? Node("")
        } catch {
            throw ConfigurationError(.invalid, at: place, "the value is not YAML (\(cut("\(error)"))).")
        }
        guard Self.sections.contains(path) else {
            try requireOn(ConfigurationKey.synonyms[path] ?? path, place: place)
            return try set(path, node, place: place)
        }
        if isNull(node) {
            OptionalSection(rawValue: path)?.set(false, in: &configuration)
        } else if let entries = node.mapping {
            OptionalSection(rawValue: path)?.set(true, in: &configuration)
            self.override = place
            defer { self.override = nil }
            try read(entries, under: path)
        } else {
            let key = ConfigurationKey.all.first { $0.section == path }
            throw ConfigurationError(
                .invalid, at: place, "`\(path)` is a section of keys, and has no value of its own.",
                advice: key.map { "Name one of its keys, for example --set \($0.path)=\($0.example)." })
        }
    }

    private mutating func set(_ path: String, _ node: Node, place: String) throws {
        let path = ConfigurationKey.synonyms[path] ?? path
        if let choice = ConfigurationKey.translated.first(where: { $0.path == path }) {
            return try set(choice, node, place: place)
        }
        if let foreign = ConfigurationKey.foreign.first(where: { $0.path == path }) {
            if isNull(node) || foreign.accepts(flow(node)) { return }
            throw ConfigurationError(
                .invalid, at: place, "`\(path): \(cut(flow(node)))` is not supported: \(foreign.reason)")
        }
        guard let key = Self.keys[path] else { throw unknown(path, place: place) }
        guard key.read(node, &configuration) else {
            throw ConfigurationError(
                .invalid, at: place, "`\(path)` is \(shown(node)); expected \(key.expected).",
                advice: "For example `\(key.name): \(key.example)`.")
        }
        if key.section == "lora" { configuration.givenLoRAKeys.insert(path) }
        given.insert(path)
    }

    private mutating func set(_ choice: ConfigurationKey.Translation, _ node: Node, place: String) throws {
        guard let meaning = choice.meanings.first(where: { $0.value == node.scalar?.string }) else {
            let values = choice.meanings.map(\.value).joined(separator: ", ")
            throw ConfigurationError(
                .invalid, at: place, "`\(choice.path)` is \(shown(node)); expected one of \(values).",
                advice: "For example `\(choice.path.split(separator: ".").last ?? ""): \(choice.meanings[0].value)`.")
        }
        for key in meaning.keys {
            if override == nil, !place.hasPrefix("--set") { try note(key.path, place: place) }
            try set(key.path, Node(key.value), place: place)
        }
    }

    /// As in Trainer, a warm-up of 0 steps is none unless a ratio is given too.
    mutating func finish() {
        guard given.contains("training.warmup_steps"), !given.contains("training.warmup_ratio"),
            configuration.training.warmupSteps == 0
        else { return }
        configuration.training.warmupRatio = 0
    }

    private func unknown(_ path: String, place: String) -> ConfigurationError {
        let advice = nearestName(to: path, among: Array(Self.keys.keys) + Self.sections).map { "Did you mean `\($0)`?" }
        return ConfigurationError(.invalid, at: place, "there is no key `\(path)`.", advice: advice)
    }

    private func place(_ node: Node) -> String { override ?? node.mark.map { "\(name):\($0.line)" } ?? name }

    private func shown(_ node: Node) -> String {
        if isNull(node), node.scalar?.string.isEmpty == false { return "null" }
        return switch node {
        case .scalar(let scalar): cut("\"\(scalar.string)\"")
        default: cut(flow(node))
        }
    }

    /// A value on one line.
    private func flow(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar): scalar.string
        case .mapping(let mapping): "{" + mapping.map { "\(flow($0)): \(flow($1))" }.joined(separator: ", ") + "}"
        case .sequence(let sequence): "[" + sequence.map(flow).joined(separator: ", ") + "]"
        case .alias: "an alias"
        }
    }

    /// The text, truncated to 200 characters.
    private func cut(_ text: String) -> String { text.count > 200 ? text.prefix(200) + "…" : text }
}
