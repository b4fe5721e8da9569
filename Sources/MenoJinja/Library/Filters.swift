internal import Foundation

extension Jinja.Renderer {
    func filter(_ name: String, _ value: Value, _ arguments: CallArguments) throws -> Value {
        guard let filter = Jinja.filters[name] else {
            throw Jinja.omittedFilters.contains(name)
                ? JinjaError(.unsupported, "the filter \"\(name)\" is not supported.")
                : JinjaError("there is no filter \"\(name)\".")
        }
        return try filter(self, value, arguments, name: name)
    }
}

extension Jinja {
    private typealias Filter = Callable<Value>

    /// Filters of jinja2 that are left out: they make HTML, depend on chance, or lay text out for people.
    static let omittedFilters: Set = [
        "filesizeformat", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr",
    ]

    static let filters: [String: Callable<Value>] = {
        var filters = textFilters.merging(numberFilters) { first, _ in first }
        filters.merge(sequenceFilters) { first, _ in first }
        filters.merge(groupFilters) { first, _ in first }
        filters.merge(layoutFilters) { first, _ in first }
        for (alias, name) in [("d", "default"), ("count", "length"), ("e", "escape"), ("forceescape", "escape")] {
            filters[alias] = filters[name]
        }
        return filters
    }()

    private static let textFilters: [String: Callable<Value>] = [
        "string": Filter("") { renderer, value, _ in .string(try renderer.text(value)) },
        "safe": Filter("") { renderer, value, _ in .string(try renderer.text(value)) },
        "lower": Filter("") { renderer, value, _ in .string(try renderer.paidText(value).pythonLowercased) },
        "upper": Filter("") { renderer, value, _ in .string(try renderer.paidText(value).uppercased()) },
        "capitalize": Filter("") { renderer, value, _ in .string(try renderer.paidText(value).pythonCapitalized) },
        "title": Filter("") { renderer, value, _ in .string(try renderer.paidText(value).titledByBreaks) },
        "trim": Filter("chars?") { renderer, value, arguments in
            .string(try renderer.paidText(value).stripped(of: try arguments.string(0)))
        },
        "replace": Filter("old new count?") { renderer, value, arguments in
            let count = try arguments.integer(2) ?? -1
            return .string(
                try renderer.replace(
                    renderer.text(arguments[0] ?? .none), with: renderer.text(arguments[1] ?? .none),
                    in: renderer.text(value), count: count))
        },
        "indent": Filter("width? first? blank?") { renderer, value, arguments in
            let width = try arguments[0]?.string ?? renderer.spaces(arguments.given(0) ?? 4)
            guard let text = value.string else {
                if case .undefined(let reason) = value { throw JinjaError(reason) }
                throw JinjaError("\"indent\" needs a string, not a value of type \(value.typeName).")
            }
            return .string(
                try renderer.indent(
                    text, by: width, first: renderer.isTrue(arguments[1] ?? .none),
                    blank: renderer.isTrue(arguments[2] ?? .none)))
        },
        "format": Filter(nil) { renderer, value, arguments in
            let (positional, named) = (arguments.all.positional, arguments.all.named)
            guard positional.isEmpty || named.isEmpty else {
                throw JinjaError("\"format\" takes arguments with names or without, not both.")
            }
            var values = Dictionary()
            for (name, value) in named { try values.set(name, to: value) }
            return .string(
                try renderer.formatted(
                    renderer.text(value), percent: named.isEmpty ? .tuple(Items(positional)) : .dictionary(values)))
        },
        "tojson": Filter("ensure_ascii? indent? separators? sort_keys?") { renderer, value, arguments in
            var writer = JSONWriter(renderer: renderer)
            writer.isASCII = renderer.isTrue(arguments[0] ?? .none)
            writer.sortsKeys = renderer.isTrue(arguments[3] ?? .none)
            if let indent = arguments.present(1) {
                writer.indent = try indent.string ?? renderer.spaces(arguments.integer(1) ?? 0)
                writer.itemSeparator = ","
            }
            if let separators = arguments.present(2) {
                let parts = try renderer.elements(of: separators).compactMap(\.string)
                guard parts.count == 2 else { throw JinjaError("\"separators\" of \"tojson\" must be two strings.") }
                (writer.itemSeparator, writer.keySeparator) = (parts[0], parts[1])
            }
            return .string(try writer.text(of: value))
        },
        "default": Filter("default_value? boolean?") { renderer, value, arguments in
            let isReplaced =
                value.isUndefined || renderer.isTrue(arguments[1] ?? .none) && !renderer.isTrue(value)
            return isReplaced ? arguments[0] ?? .string("") : value
        },
        "attr": Filter("name") { renderer, value, arguments in
            let name = try arguments.requiredString(0)
            if case .undefined(let reason) = value { throw JinjaError(reason) }
            return try renderer.ownAttribute(name, of: value)
                ?? .undefined("a value of type \(value.typeName) has no attribute \"\(name)\".")
        },
    ]

    private static let numberFilters: [String: Callable<Value>] = [
        "int": Filter("default? base?") { renderer, value, arguments in
            let base = try arguments.integer(1) ?? 10
            guard base == 0 || (2...36).contains(base) else {
                throw JinjaError("a number's base must be from 2 to 36.")
            }
            return try renderer.integer(from: value, base: base) ?? arguments[0] ?? .integer(0)
        },
        "float": Filter("default?") { renderer, value, arguments in
            if let number = value.double ?? value.string.flatMap(Double.init(python:)) { return .double(number) }
            if case .undefined(let reason) = value { throw JinjaError(reason) }
            return arguments[0] ?? .double(0)
        },
        "abs": Filter("") { renderer, value, _ in
            if let number = value.integer { return number < 0 ? try renderer.negative(value) : .integer(number) }
            guard let number = value.double else {
                throw JinjaError("a value of type \(value.typeName) has no absolute value.")
            }
            return .double(number.magnitude)
        },
        "round": Filter("precision? method?") { renderer, value, arguments in
            let method = try arguments[1] == nil ? "common" : arguments.requiredString(1)
            // As Python's round(number, None) has it, the result is whole.
            if method == "common", case .none? = arguments[0], let number = value.double {
                return try renderer.integer(from: .double(number.rounded(.toNearestOrEven)), base: 10) ?? value
            }
            return try renderer.round(value, precision: try arguments.given(0) ?? 0, method: method)
        },
    ]
}

extension Jinja.Renderer {
    /// A value's text, after paying for a copy of it.
    func paidText(_ value: Value) throws -> String {
        let text = try text(value)
        try budget.allocate(text.utf8.count, each: 2)
        return text
    }

    func spaces(_ count: Int) throws -> String {
        try budget.allocate(max(0, count))
        return String(repeating: " ", count: max(0, count))
    }

    fileprivate func integer(from value: Value, base: Int) throws -> Value? {
        if let number = value.integer { return .integer(number) }
        if let text = value.string, let number = Int(python: text, base: base) { return .integer(number) }
        if case .undefined(let reason) = value { throw JinjaError(reason) }
        guard let number = value.double ?? value.string.flatMap(Double.init(python:)), !number.isNaN else { return nil }
        guard let integer = Int(exactly: number.rounded(.towardZero)) else {
            if value.string != nil, number.isInfinite { return nil }
            throw JinjaError("the number \(number.pythonDescription) does not fit into 64 bits.")
        }
        return .integer(integer)
    }

    fileprivate func round(_ value: Value, precision: Int, method: String) throws -> Value {
        guard let number = value.double else {
            throw JinjaError("a value of type \(value.typeName) cannot be rounded.")
        }
        switch method {
        case "common":
            // Beyond these no digit of a 64-bit float is left.
            if case .double = value, precision > 330 || !number.isFinite { return value }
            if value.integer != nil, precision >= 0 { return .integer(value.integer ?? 0) }
            let result =
                precision >= 0
                ? Double(String(format: "%.\(precision)f", number)) ?? number
                : precision < -308
                    ? 0 : (number / pow(10, Double(-precision))).rounded(.toNearestOrEven) * pow(10, Double(-precision))
            if case .double = value { return .double(result) }
            return try Int(exactly: result).map { .integer($0) } ?? integer(from: .double(result), base: 10) ?? value
        case "ceil", "floor":
            let scale = pow(10, Double(precision))
            return .double((number * scale).rounded(method == "ceil" ? .up : .down) / scale)
        default: throw JinjaError("\"method\" of \"round\" must be \"common\", \"ceil\" or \"floor\".")
        }
    }
}

extension Int {
    /// `int(text, base)`: white space around, a sign, single underscores between digits; base 0 asks the prefix.
    fileprivate init?(python text: String, base: Int) {
        var digits = Substring(text.stripped(of: nil)).lowercased()[...]
        let sign = digits.first.flatMap { "+-".contains($0) ? String($0) : nil } ?? ""
        digits = digits.dropFirst(sign.count)
        var base = base
        for (prefix, value) in [("0x", 16), ("0o", 8), ("0b", 2)]
        where digits.hasPrefix(prefix) && (base == 0 || base == value) {
            digits = digits.dropFirst(2)
            base = value
            if digits.first == "_" { digits = digits.dropFirst() }
        }
        guard let plain = String(digits).withoutDigitSeparators,
            let number = Int(sign + plain, radix: base == 0 ? 10 : base)
        else { return nil }
        self = number
    }
}

extension Double {
    /// `float(text)`
    fileprivate init?(python text: String) {
        let text = text.stripped(of: nil)
        let unsigned = text.lowercased().drop { "+-".contains($0) }
        // Swift also reads hexadecimal floats.
        guard
            ["inf", "infinity", "nan"].contains(unsigned)
                || unsigned.utf8.allSatisfy({ "0123456789_.e+-".utf8.contains($0) }),
            let plain = text.withoutDigitSeparators, let number = Double(plain)
        else { return nil }
        self = number
    }
}

extension String {
    /// The text without underscores that stand singly between digits; `nil` where one stands elsewhere, or a sign does.
    fileprivate var withoutDigitSeparators: String? {
        guard utf8.first != UInt8(ascii: "_"), utf8.last != UInt8(ascii: "_") else { return nil }
        return contains("__") ? nil : filter { $0 != "_" }
    }
}
