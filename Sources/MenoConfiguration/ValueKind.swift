internal import Foundation
internal import MenoModels
internal import MenoTraining
internal import Yams

/// What a key's value may be: how it is read from YAML, written back, and named in an error.
struct ValueKind<Value>: Sendable {
    /// Completes "expected …".
    let expected: String
    let read: @Sendable (Node) -> Value?
    let write: @Sendable (Value) -> String

    /// The same, or auto for none.
    var orAutomatic: ValueKind<Value?> {
        ValueKind<Value?>(expected: "\(expected), or auto") { node in
            node.scalar?.string == "auto" ? .some(nil) : read(node).map { .some($0) }
        } write: {
            $0.map(write) ?? "auto"
        }
    }
}

extension ValueKind {
    /// The same, where null stands for a value: what Trainer writes where nothing is set.
    func reading(null value: Value) -> Self where Value: Sendable {
        ValueKind(expected: expected) {
            isNull($0) ? value : read($0)
        } write: {
            write($0)
        }
    }
}

extension ValueKind where Value == StepCount {
    /// A whole number of steps, or a share of all of them.
    static func steps(from minimum: Int) -> Self {
        let whole = ValueKind<Int>.integer(from: minimum)
        return Self(expected: "\(whole.expected), or a fraction of all steps above 0 and below 1") { node in
            if let steps = whole.read(node) { return .steps(steps) }
            return node.scalar.flatMap { Double($0.string) }.flatMap { $0 > 0 && $0 < 1 ? .share($0) : nil }
        } write: {
            switch $0 {
            case .steps(let steps): "\(steps)"
            case .share(let share): "\(share)"
            }
        }
    }
}

extension ValueKind where Value == StepCount? {
    /// Null stands for none.
    static var stepsOrNone: Self {
        let steps = ValueKind<StepCount>.steps(from: 1)
        return Self(expected: "\(steps.expected), or null") { node in
            isNull(node) ? .some(nil) : steps.read(node).map { .some($0) }
        } write: {
            $0.map(steps.write) ?? "null"
        }
    }
}

extension ValueKind where Value == ModelMetric {
    /// A metric by its name, or as Trainer and TRL call it.
    static var metric: Self {
        Self(expected: ValueKind<ModelMetric>.choice.expected + ", with or without eval_ before it") { node in
            guard !isNull(node) else { return .perplexity }
            guard let text = node.scalar?.string else { return nil }
            let name = text.hasPrefix("eval_") ? String(text.dropFirst("eval_".count)) : text
            return ModelMetric(rawValue: name == "mean_token_accuracy" ? "token_accuracy" : name)
        } write: {
            $0.rawValue
        }
    }
}

extension ValueKind where Value == Double {
    static func number(_ expected: String, _ isAllowed: @escaping @Sendable (Double) -> Bool) -> Self {
        Self(expected: expected) { node in
            node.scalar.flatMap { Double($0.string) }.flatMap { $0.isFinite && isAllowed($0) ? $0 : nil }
        } write: {
            "\($0)"
        }
    }

    static var positive: Self { number("a number above 0") { $0 > 0 } }
    static var notNegative: Self { number("a number of 0 or more") { $0 >= 0 } }
    static var fraction: Self { number("a number from 0 to 1") { (0...1).contains($0) } }
    static var belowOne: Self { number("a number of at least 0 and below 1") { $0 >= 0 && $0 < 1 } }
}

extension ValueKind where Value == ClosedRange<Double> {
    /// `[lowest, highest]`
    static var range: Self {
        Self(expected: "two numbers, the lower one first: [0.1, 2.0]") { node in
            let values = (node.sequence ?? []).compactMap { $0.scalar.flatMap { Double($0.string) } }
            guard values.count == 2, node.sequence?.count == 2, values.allSatisfy(\.isFinite), values[0] <= values[1]
            else { return nil }
            return values[0]...values[1]
        } write: {
            "[\($0.lowerBound), \($0.upperBound)]"
        }
    }
}

extension ValueKind where Value == Double? {
    /// A number above 0; 0 and null stand for none.
    static var positiveOrNone: Self {
        Self(expected: "a number above 0, or 0 for none") { node in
            if isNull(node) { return .some(nil) }
            guard let value = ValueKind<Double>.notNegative.read(node) else { return nil }
            return .some(value == 0 ? nil : value)
        } write: {
            "\($0 ?? 0)"
        }
    }

    /// A number from 0 to 1, or auto for none.
    static var fractionOrAutomatic: Self {
        ValueKind<Double>.fraction.orAutomatic
    }
}

extension ValueKind where Value == Int {
    static func integer(from minimum: Int, to maximum: Int = TrainingArguments.largestCount) -> Self {
        let expected =
            maximum < .max ? "a whole number from \(minimum) to \(maximum)" : "a whole number of \(minimum) or more"
        return Self(expected: expected) { node in
            // "1e3" and "100.0" are whole numbers too.
            let text = node.scalar?.string ?? ""
            let value = Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
            return value.flatMap { $0 >= minimum && $0 <= maximum ? $0 : nil }
        } write: {
            "\($0)"
        }
    }
}

extension ValueKind where Value == Int? {
    /// A whole number above 0; −1 and null stand for none.
    static var countOrNone: Self {
        Self(expected: "a whole number above 0, or -1 for none") { node in
            if isNull(node) || node.scalar?.string == "-1" { return .some(nil) }
            return ValueKind<Int>.integer(from: 1).read(node).map { .some($0) }
        } write: {
            "\($0 ?? -1)"
        }
    }

    /// A whole number above 0, or auto for none.
    static var countOrAutomatic: Self {
        ValueKind<Int>.integer(from: 1).orAutomatic
    }
}

extension ValueKind where Value == Bool {
    static var flag: Self {
        Self(expected: "true or false") { node in
            switch node.scalar?.string.lowercased() {
            case "true", "yes", "on": true
            case "false", "no", "off": false
            default: nil
            }
        } write: {
            "\($0)"
        }
    }
}

extension ValueKind where Value == String {
    static var text: Self {
        Self(expected: "a string") {
            isNull($0) ? nil : $0.scalar.map(\.string).flatMap { $0.isEmpty ? nil : $0 }
        } write: {
            quoted($0)
        }
    }
}

extension ValueKind where Value == String? {
    static var textOrNone: Self {
        Self(expected: "a string or null") { node in
            isNull(node) ? .some(nil) : ValueKind<String>.text.read(node).map { .some($0) }
        } write: {
            $0.map(quoted) ?? "null"
        }
    }
}

extension ValueKind where Value == [String] {
    /// A list of texts, or one text.
    static var texts: Self {
        Self(expected: "a string or a list of strings") { node in
            if let scalar = node.scalar { return isNull(node) ? nil : [scalar.string] }
            guard let sequence = node.sequence, !sequence.isEmpty else { return nil }
            let texts = sequence.compactMap { isNull($0) ? nil : $0.scalar?.string }
            return texts.count == sequence.count ? texts : nil
        } write: {
            "[\($0.map(quoted).joined(separator: ", "))]"
        }
    }

    /// A list of texts that may be empty.
    static var textsOrNone: Self {
        Self(expected: "a string, a list of strings, or null") { node in
            isNull(node) || node.sequence?.isEmpty == true ? [] : texts.read(node)
        } write: {
            texts.write($0)
        }
    }
}

extension ValueKind where Value == [String] {
    /// The names of layers, all-linear, or a regular expression: one text with characters that no name has.
    static var layers: Self {
        Self(expected: "a list of layer names, all-linear, or a regular expression") { node in
            guard let texts = texts.read(node), !texts.contains("") else { return nil }
            if texts.count == 1, LoRATargets.isPattern(texts[0]), (try? Regex(texts[0])) == nil { return nil }
            return texts
        } write: { names in
            names.count == 1 && LoRATargets.isPattern(names[0]) ? quoted(names[0]) : texts.write(names)
        }
    }
}

extension ValueKind where Value == [Int]? {
    /// A list of whole numbers, or one.
    static var integersOrNone: Self {
        Self(expected: "a whole number of 0 or more, a list of them, or null") { node in
            if isNull(node) { return .some(nil) }
            let nodes = node.sequence.map(Array.init) ?? [node]
            let values = nodes.compactMap(ValueKind<Int>.integer(from: 0).read)
            return values.isEmpty || values.count != nodes.count ? nil : .some(values)
        } write: {
            $0.map { "\($0)" } ?? "null"
        }
    }
}

extension ValueKind where Value == Bool? {
    static var flagOrNone: Self {
        Self(expected: "true, false or null") { node in
            isNull(node) ? .some(nil) : ValueKind<Bool>.flag.read(node).map { .some($0) }
        } write: {
            $0.map { "\($0)" } ?? "null"
        }
    }
}

extension ValueKind {
    /// A mapping of patterns of layers to values.
    static func patterns<Element: Sendable & Hashable>(
        _ element: ValueKind<Element>
    ) -> ValueKind<LayerPatterns<Element>> where Value == LayerPatterns<Element> {
        ValueKind(expected: "a mapping of layer patterns to \(element.expected)") { node in
            if isNull(node) { return LayerPatterns() }
            guard let mapping = node.mapping else { return nil }
            let entries = mapping.compactMap { key, value in
                key.scalar.flatMap { key in element.read(value).map { (pattern: key.string, value: $0) } }
            }
            return entries.count == mapping.count ? LayerPatterns(entries) : nil
        } write: { patterns in
            "{" + patterns.entries.map { "\(quoted($0.pattern)): \(element.write($0.value))" }.joined(separator: ", ")
                + "}"
        }
    }
}

extension ValueKind {
    /// A list of some of an enumeration's values, or one of them; null and [] stand for none.
    static func choices<Choice>() -> Self
    where Value == [Choice], Choice: RawRepresentable<String> & CaseIterable & Sendable {
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        return Self(expected: "a list of \(names)") { node in
            if isNull(node) { return [] }
            let nodes = node.sequence.map(Array.init) ?? [node]
            let values = nodes.compactMap { $0.scalar.flatMap { Choice(rawValue: $0.string) } }
            return values.count == nodes.count ? values : nil
        } write: {
            "[\($0.map(\.rawValue).joined(separator: ", "))]"
        }
    }
}

extension ValueKind where Value: CaseIterable & RawRepresentable & Sendable, Value.RawValue == String {
    static var choice: Self {
        Self(expected: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", ")) { node in
            // "True" is written by Python.
            node.scalar.flatMap { Value(rawValue: $0.string) ?? Value(rawValue: $0.string.lowercased()) }
        } write: {
            $0.rawValue
        }
    }
}

func isNull(_ node: Node) -> Bool {
    guard let scalar = node.scalar, scalar.style != .doubleQuoted, scalar.style != .singleQuoted else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
}

/// A text as YAML reads it back: plain where that is safe.
private func quoted(_ text: String) -> String {
    let isPlain = text.wholeMatch(of: /[A-Za-z_\/][A-Za-z0-9_\/.\-]*/) != nil
    let isOther = ["true", "false", "yes", "no", "on", "off", "null"].contains(text.lowercased())
    if isPlain, !isOther { return text }
    let scalars = text.unicodeScalars.map { scalar in
        switch scalar {
        case "\\": "\\\\"
        case "\"": "\\\""
        case "\n": "\\n"
        // YAML has controls only escaped, and reads other line ends as spaces.
        case "\0"..<" ", "\u{7F}"..."\u{9F}": "\\x" + hexadecimal(scalar, digits: 2)
        case "\u{2028}", "\u{2029}", "\u{FEFF}", "\u{FFFE}", "\u{FFFF}": "\\u" + hexadecimal(scalar, digits: 4)
        default: String(scalar)
        }
    }
    return "\"" + scalars.joined() + "\""
}

private func hexadecimal(_ scalar: Unicode.Scalar, digits: Int) -> String {
    let number = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: digits - number.count) + number
}
