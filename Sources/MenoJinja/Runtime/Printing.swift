extension Jinja.Renderer {
    typealias Value = Jinja.Value

    /// `str(value)`
    func text(_ value: Value) throws -> String {
        switch value {
        case .string(let text): return text
        case .undefined: return ""
        default:
            var text = ""
            try describe(value, into: &text, depth: 0)
            return text
        }
    }

    /// `repr(value)`
    func representation(_ value: Value) throws -> String {
        var text = ""
        try describe(value, into: &text, depth: 0)
        return text
    }

    private func describe(_ value: Value, into text: inout String, depth: Int) throws {
        try budget.spend()
        guard depth <= Jinja.Depth.value else { throw JinjaError(.limit, "a value is nested too deep to be printed.") }
        switch value {
        case .undefined: text += "Undefined"
        case .none: text += "None"
        case .boolean(let value): text += value ? "True" : "False"
        case .integer(let value): text += String(value)
        case .double(let value): text += value.pythonDescription
        case .string(let value):
            try budget.allocate(value.utf8.count)
            text += value.pythonRepresentation
        case .list(let items): try describe(items.values, "[", "]", into: &text, depth: depth)
        case .tuple(let items):
            try describe(items.values, "(", items.values.count == 1 ? ",)" : ")", into: &text, depth: depth)
        case .dictionary(let dictionary): try describe(dictionary, into: &text, depth: depth)
        case .view(let view):
            try describe(view.items.values, "dict_\(view.kind.rawValue)([", "])", into: &text, depth: depth)
        case .range(let range):
            text += "range(\(range.start), \(range.stop)\(range.step == 1 ? "" : ", \(range.step)"))"
        case .namespace(let namespace):
            text += "<Namespace "
            try describe(namespace.attributes, into: &text, depth: depth)
            text += ">"
        case .macro(let macro): text += "<Macro '\(macro.definition.name)'>"
        case .loop(let loop): text += "<LoopContext \(loop.index + 1)/\(loop.items.values.count)>"
        case .function(let function): text += "<function \(function.rawValue)>"
        case .method(let method): text += "<built-in method \(method.name) of \(method.receiver.typeName) object>"
        case .iterator, .cycler, .joiner: text += "<\(value.typeName) object>"
        }
    }

    private func describe(
        _ values: [Value], _ opening: String, _ closing: String, into text: inout String, depth: Int
    ) throws {
        text += opening
        for (index, value) in values.enumerated() {
            if index > 0 { text += ", " }
            try describe(value, into: &text, depth: depth + 1)
        }
        text += closing
        try budget.allocate(2 * values.count + opening.utf8.count + closing.utf8.count)
    }

    private func describe(_ dictionary: Jinja.Dictionary, into text: inout String, depth: Int) throws {
        text += "{"
        for (index, (key, value)) in zip(dictionary.keys, dictionary.values).enumerated() {
            if index > 0 { text += ", " }
            try describe(key, into: &text, depth: depth + 1)
            text += ": "
            try describe(value, into: &text, depth: depth + 1)
        }
        text += "}"
        try budget.allocate(4 * dictionary.count + 2)
    }
}

extension Double {
    /// `repr` of a float: the shortest digits that give the number back, with an exponent below 1e-4 and from 1e16.
    var pythonDescription: String {
        guard isFinite else { return isNaN ? "nan" : self < 0 ? "-inf" : "inf" }
        var digits = ""
        var exponent = 0
        var pointPlace: Int?
        let parts = magnitude.description.split(separator: "e")
        for character in parts[0] {
            if character == "." { pointPlace = digits.count } else { digits.append(character) }
        }
        exponent = (pointPlace ?? digits.count) - 1 + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        let zeros = digits.prefix { $0 == "0" }.count
        digits.removeFirst(zeros)
        exponent -= zeros
        while digits.last == "0" { digits.removeLast() }
        let sign = self.sign == .minus ? "-" : ""
        if digits.isEmpty { return sign + "0.0" }
        if exponent < -4 || exponent >= 16 {
            let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
            let power = String(exponent.magnitude)
            return
                "\(sign)\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(power.count < 2 ? "0" : "")\(power)"
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 {
            return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
        }
        return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
    }
}

extension String {
    /// `repr` of a string.
    var pythonRepresentation: String {
        let quote: Unicode.Scalar = utf8.contains(UInt8(ascii: "'")) && !utf8.contains(UInt8(ascii: "\"")) ? "\"" : "'"
        var text = String.UnicodeScalarView()
        text.append(quote)
        for scalar in unicodeScalars {
            switch scalar {
            case "\\", quote: text.append(contentsOf: ["\\", scalar])
            case "\n": text.append(contentsOf: ["\\", "n"])
            case "\r": text.append(contentsOf: ["\\", "r"])
            case "\t": text.append(contentsOf: ["\\", "t"])
            default:
                if scalar.isPythonPrintable {
                    text.append(scalar)
                } else {
                    let digits = String(scalar.value, radix: 16)
                    let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
                    text.append(
                        contentsOf: "\\\(letter)\(String(repeating: "0", count: width - digits.count))\(digits)"
                            .unicodeScalars)
                }
            }
        }
        text.append(quote)
        return String(text)
    }
}
