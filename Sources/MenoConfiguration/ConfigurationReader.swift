public import Foundation
internal import MenoModels
internal import MenoTraining
internal import Yams

extension RunConfiguration {
    /// Reads a file, then the overrides.
    /// - Parameter overrides: `key.path=value`, the value in YAML; later ones win.
    /// - Throws: ``ConfigurationError``, which names the file and line or the override.
    public static func read(_ url: URL, overrides: [String] = []) throws -> RunConfiguration {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw ConfigurationError(.notFound, place: url.path, "does not exist.")
        }
        // Through a handle, as it may be a pipe.
        guard let data = try? FileHandle(forReadingFrom: url).readToEnd() ?? Foundation.Data() else {
            throw ConfigurationError(.notFound, place: url.path, "cannot be read.")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw ConfigurationError(place: url.path, "is not UTF-8 text.")
        }
        return try read(yaml: text, name: url.path, overrides: overrides)
    }

    /// Reads YAML text.
    /// - Parameter name: what the text is called in errors.
    public static func read(yaml: String, name: String, overrides: [String] = []) throws -> RunConfiguration {
        var reader = ConfigurationReader(name: name)
        try reader.read(yaml)
        for override in overrides { try reader.apply(override) }
        return try reader.configuration.validated(name)
    }

    private func validated(_ name: String) throws -> RunConfiguration {
        for (key, value) in [("model.name_or_path", model.nameOrPath), ("data.path", data.path)] where value.isEmpty {
            throw ConfigurationError(place: name, "has no `\(key)`.", advice: "Write it, or give --set \(key)=….")
        }
        if training.warmupSteps > 0, let maxSteps = training.maxSteps, training.warmupSteps > maxSteps {
            throw ConfigurationError(
                place: name,
                "`training.warmup_steps` (\(training.warmupSteps)) is more than `training.max_steps` (\(maxSteps)): "
                    + "the learning rate would never reach its height.")
        }
        if training.evaluationStrategy != .no, data.trainFraction == 1 || data.maxEvaluationSamples == 0 {
            throw ConfigurationError(
                place: name,
                "`training.eval_strategy: \(training.evaluationStrategy.rawValue)` asks for evaluations, but "
                    + "`data.train_fraction` or `data.max_eval_samples` leaves nothing to evaluate on.",
                advice: "Set `training.eval_strategy: no`, or hold examples out.")
        }
        try checkContradictions(name)
        return self
    }

    /// Pairs of keys that cannot both hold.
    private func checkContradictions(_ name: String) throws {
        if computesInFloat16 {
            throw ConfigurationError(
                place: name, "`training.fp16: true` is not honoured: float16 needs its losses scaled.",
                advice: "Use `training.bf16: true`, or `model.dtype: float32`.")
        }
        if usesNoCUDA, model.device == .cuda || model.device == .mps {
            throw ConfigurationError(
                place: name, "`training.no_cuda: true` contradicts `model.device: \(model.device.rawValue)`.",
                advice: "Leave one of them out.")
        }
        if model.dtype == .float16 {
            throw ConfigurationError(
                place: name, "`model.dtype: float16` cannot be trained: float16 needs its losses scaled.",
                advice: "Use `bfloat16` or `float32`.")
        }
        if let greaterIsBetter, greaterIsBetter != training.bestMetric.greaterIsBetter {
            throw ConfigurationError(
                place: name,
                "`training.greater_is_better: \(greaterIsBetter)` contradicts `training.metric_for_best_model: "
                    + "\(training.bestMetric.rawValue)`, of which "
                    + (training.bestMetric.greaterIsBetter ? "greater" : "lower") + " values are better.",
                advice: "Leave greater_is_better out.")
        }
        if training.earlyStoppingPatience != nil, training.evaluationStrategy == .no {
            throw ConfigurationError(
                place: name,
                "`training.early_stopping_patience` needs evaluations, which `training.eval_strategy: no` forbids.")
        }
        try checkSchedule(name)
        try checkMonitor(name)
    }

    private func checkMonitor(_ name: String) throws {
        do {
            try monitor.thresholds.validate()
        } catch {
            throw ConfigurationError(
                place: name, "`\(error.place ?? "monitor")` \(error.message)", advice: error.advice)
        }
        guard (monitor.onAlert == .command) == (monitor.alertCommand != nil) else {
            throw ConfigurationError(
                place: name,
                "`monitor.on_alert: \(monitor.onAlert.rawValue)` and `monitor.alert_command` contradict each other: the "
                    + "command is for `on_alert: command`, which needs one.")
        }
    }

    private func checkSchedule(_ name: String) throws {
        let options = training.scheduleOptions
        let taken = training.schedule.optionNames
        if let (other, _) = options.given.first(where: { !taken.contains($0.name) }) {
            throw ConfigurationError(
                place: name,
                "`training.lr_scheduler_kwargs`: `training.lr_scheduler_type: \(training.schedule.rawValue)` has no "
                    + "`\(other)`.",
                advice: "It takes \(taken.isEmpty ? "no such keys" : taken.joined(separator: ", ")).")
        }
        if training.schedule == .cosineWithRestarts, let cycles = options.cycles, cycles != cycles.rounded() {
            throw ConfigurationError(
                place: name,
                "`num_cycles` (\(cycles)) of `training.lr_scheduler_kwargs` is no whole number, which "
                    + "`cosine_with_restarts` needs.")
        }
        if let decaySteps = options.decaySteps, let maxSteps = training.maxSteps, decaySteps > maxSteps {
            throw ConfigurationError(
                place: name,
                "`num_decay_steps` (\(decaySteps)) of `training.lr_scheduler_kwargs` is more than `training.max_steps` "
                    + "(\(maxSteps)).")
        }
        if training.schedule == .polynomial, options.endRate >= training.learningRate, training.learningRate > 0 {
            throw ConfigurationError(
                place: name,
                "`lr_end` (\(options.endRate)) of `training.lr_scheduler_kwargs` is not below `training.learning_rate` "
                    + "(\(training.learningRate)).")
        }
    }
}

extension LearningRateSchedule.Course {
    /// What it takes of `training.lr_scheduler_kwargs`.
    fileprivate var optionNames: [String] {
        switch self {
        case .linear, .constant, .constantWithWarmup: []
        case .cosine, .cosineWithRestarts: ["num_cycles"]
        case .polynomial: ["power", "lr_end"]
        case .inverseSquareRoot: ["timescale"]
        case .warmupStableDecay: ["num_decay_steps", "min_lr_ratio", "decay_type"]
        }
    }
}

/// Reads one configuration.
private struct ConfigurationReader {
    let name: String
    var configuration = RunConfiguration()
    /// The override that is read; it is the place of what is wrong in it.
    private var override: String?
    /// Where each key of the file, or of one override, is written, and each section of it that is switched off.
    private var written: [String: String] = [:]
    private var switchedOff: [String: String] = [:]
    private static let keys = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.path, $0) })
    private static let sections = Set(ConfigurationKey.all.compactMap(\.section))

    init(name: String) { self.name = name }

    mutating func read(_ yaml: String) throws {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw ConfigurationError(place: name, "is not YAML (\(cut("\(error)"))).")
        }
        guard let root, !isNull(root) else { return }
        guard let mapping = root.mapping else {
            throw ConfigurationError(place: name, "is no mapping of keys to values.")
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
                switchOff(path)
                switchedOff[path] = place(key)
                try checkSwitchedOff()
            } else if let entries = node.mapping {
                try read(entries, under: path)
            } else {
                throw ConfigurationError(place: place(node), "`\(path)` is no mapping of keys to values.")
            }
        }
    }

    /// Remembers that a key is written. Keys that are written twice are two keys to YAML where one has another name, or
    /// is written with its section.
    private mutating func note(_ path: String, place: String) throws {
        let key = ConfigurationKey.synonyms[path] ?? path
        if let other = written.updateValue(place, forKey: key) {
            let isOther = key == path ? "" : ", of which `\(path)` is another name"
            throw ConfigurationError(
                place: place, "`\(key)` is written twice\(isOther); first at \(other).",
                advice: "Leave one of them out.")
        }
        try checkSwitchedOff()
    }

    /// A section of the file without content, and a key of it elsewhere.
    private func checkSwitchedOff() throws {
        for (section, place) in switchedOff where section == "lora" || section == "monitor" {
            guard let (key, other) = written.first(where: { $0.key.hasPrefix(section + ".") }) else { continue }
            throw ConfigurationError(
                place: place, "`\(section)` is switched off, so that `\(key)` (\(other)) would mean nothing.",
                advice: "Leave one of them out.")
        }
    }

    /// What a section without content means.
    private mutating func switchOff(_ section: String) {
        if section == "lora" { configuration.lora = nil }
        if section == "monitor" { configuration.monitor.isEnabled = false }
    }

    /// What a section with content means, where it is given by an override.
    private mutating func switchOn(_ section: String) {
        if section == "lora" { configuration.lora = configuration.adapter }
        if section == "monitor" { configuration.monitor.isEnabled = true }
    }

    /// A key of a section that is switched off would be read and then mean nothing, or switch it on unasked.
    private func requireOn(_ path: String, place: String) throws {
        let isOff = ["lora": configuration.lora == nil, "monitor": !configuration.monitor.isEnabled]
        guard let section = path.split(separator: ".").first.map(String.init), path != section, isOff[section] == true,
            path != "monitor.enabled"
        else { return }
        throw ConfigurationError(
            place: place, "`\(section)` is switched off, so that `\(path)` would mean nothing.",
            advice: "Switch it on by `--set '\(section)={}'` before, or leave `\(path)` out.")
    }

    mutating func apply(_ override: String) throws {
        (written, switchedOff) = ([:], [:])
        let place = "--set \(cut(override))"
        guard let equals = override.firstIndex(of: "=") else {
            throw ConfigurationError(place: place, "expected key.path=value.")
        }
        let path = String(override[..<equals]).trimmingCharacters(in: .whitespaces)
        let node: Node
        do {
            node = try Yams.compose(yaml: String(override[override.index(after: equals)...])) ?? Node("")
        } catch {
            throw ConfigurationError(place: place, "the value is not YAML (\(cut("\(error)"))).")
        }
        guard Self.sections.contains(path) else {
            try requireOn(ConfigurationKey.synonyms[path] ?? path, place: place)
            return try set(path, node, place: place)
        }
        if isNull(node) {
            switchOff(path)
        } else if let entries = node.mapping {
            switchOn(path)
            self.override = place
            defer { self.override = nil }
            try requireOn(path, place: place)
            try read(entries, under: path)
        } else {
            let key = ConfigurationKey.all.first { $0.section == path }
            throw ConfigurationError(
                place: place, "`\(path)` is a section of keys, and has no value of its own.",
                advice: key.map { "Name one of its keys, for example --set \($0.path)=\($0.example)." })
        }
    }

    private mutating func set(_ path: String, _ node: Node, place: String) throws {
        let path = ConfigurationKey.synonyms[path] ?? path
        guard let key = Self.keys[path] else { throw unknown(path, place: place) }
        guard key.read(node, &configuration) else {
            throw ConfigurationError(
                place: place, "`\(path)` is \(shown(node)); expected \(key.expected).",
                advice: "For example `\(key.name): \(key.example)`.")
        }
        if key.section == "lora" { configuration.givenLoRAKeys.insert(path) }
    }

    private func unknown(_ path: String, place: String) -> ConfigurationError {
        if let reason = ConfigurationKey.refused[path] {
            return ConfigurationError(place: place, "`\(path)` is not honoured: \(reason)")
        }
        let advice = nearestName(to: path, among: Array(Self.keys.keys) + Self.sections).map { "Did you mean `\($0)`?" }
        return ConfigurationError(place: place, "there is no key `\(path)`.", advice: advice)
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

    /// As much of a text as a message bears.
    private func cut(_ text: String) -> String { text.count > 200 ? text.prefix(200) + "…" : text }
}
