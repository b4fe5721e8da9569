internal import Foundation

extension Jinja.Renderer {
    /// `format % value`
    func formatted(_ format: String, percent value: Value) throws -> String {
        var conversions = PercentFormat(format)
        var positional: [Value] = []
        if case .tuple(let items) = value { positional = items.values } else { positional = [value] }
        var used = 0
        func next() throws -> Value {
            guard used < positional.count else { throw JinjaError("there are too few values for the format.") }
            used += 1
            return positional[used - 1]
        }
        var result = ""
        var isNamed = false
        while let piece = try conversions.next() {
            switch piece {
            case .text(let text):
                try budget.allocate(text.utf8.count)
                result += text
            case .conversion(var conversion):
                if conversion.takesWidth { conversion.width = try next().integer }
                if conversion.takesPrecision { conversion.precision = try next().integer }
                let argument: Value
                if let name = conversion.name {
                    guard case .dictionary(let dictionary) = value else {
                        throw JinjaError("the format needs a dictionary.")
                    }
                    guard let item = dictionary[name] else {
                        throw JinjaError("the dictionary has no \"\(name)\", which the format needs.")
                    }
                    argument = item
                    isNamed = true
                } else {
                    argument = try next()
                }
                result += try text(of: argument, conversion)
            }
        }
        switch value {
        // Values that Python treats as mappings may have entries that the format does not use.
        case .dictionary, .list, .range, .undefined: isNamed = true
        default: break
        }
        guard isNamed || used == positional.count else { throw JinjaError("there are too many values for the format.") }
        return result
    }

    private func text(of value: Value, _ conversion: PercentFormat.Conversion) throws -> String {
        let width = conversion.width ?? 0
        guard width.magnitude <= 4096, (0...4096).contains(conversion.precision ?? 0) else {
            throw JinjaError(.limit, "a format's width or precision is larger than 4096.")
        }
        var text: String
        switch conversion.letter {
        case "s", "r", "a":
            text = try conversion.letter == "s" ? self.text(value) : representation(value)
            if let precision = conversion.precision { text = String(text.unicodeScalars.prefix(precision)) }
        case "d", "i", "u", "x", "X", "o":
            text = try digits(of: value, conversion)
        case "f", "F", "e", "E", "g", "G":
            guard let number = value.double else { throw mismatch(value, conversion) }
            let sign = conversion.flags.contains("+") ? "+" : conversion.flags.contains(" ") ? " " : ""
            text = String(format: "%\(sign).\(conversion.precision ?? 6)\(conversion.letter)", number)
        case "c":
            guard
                let scalar = value.integer.flatMap({ UInt32(exactly: $0) }).flatMap(Unicode.Scalar.init)
                    ?? value.string
                    .flatMap({ $0.unicodeScalars.count == 1 ? $0.unicodeScalars.first : nil })
            else { throw mismatch(value, conversion) }
            text = String(scalar)
        default: throw JinjaError("the format has an unknown conversion \"%\(conversion.letter)\".")
        }
        return try padded(text, conversion, width: width)
    }

    private func digits(of value: Value, _ conversion: PercentFormat.Conversion) throws -> String {
        let number: Int
        switch value {
        case .double(let double) where "diu".unicodeScalars.contains(conversion.letter):
            guard let whole = Int(exactly: double.rounded(.towardZero)) else { throw mismatch(value, conversion) }
            number = whole
        default:
            guard let whole = value.integer else { throw mismatch(value, conversion) }
            number = whole
        }
        let base = conversion.letter == "o" ? 8 : "xX".unicodeScalars.contains(conversion.letter) ? 16 : 10
        var digits = String(number.magnitude, radix: base, uppercase: conversion.letter == "X")
        digits = String(repeating: "0", count: max(0, (conversion.precision ?? 0) - digits.utf8.count)) + digits
        if conversion.flags.contains("#"), base != 10 { digits = "0\(conversion.letter)" + digits }
        let sign = number < 0 ? "-" : conversion.flags.contains("+") ? "+" : conversion.flags.contains(" ") ? " " : ""
        return sign + digits
    }

    private func padded(_ text: String, _ conversion: PercentFormat.Conversion, width: Int) throws -> String {
        try budget.allocate(text.utf8.count + abs(width))
        let count = max(0, abs(width) - text.unicodeScalars.count)
        if conversion.flags.contains("-") || width < 0 { return text + String(repeating: " ", count: count) }
        guard conversion.flags.contains("0"), !"sarc".unicodeScalars.contains(conversion.letter) else {
            return String(repeating: " ", count: count) + text
        }
        let sign = text.unicodeScalars.prefix { "+- ".unicodeScalars.contains($0) }
        return String(sign) + String(repeating: "0", count: count) + String(text.unicodeScalars.dropFirst(sign.count))
    }

    private func mismatch(_ value: Value, _ conversion: PercentFormat.Conversion) -> JinjaError {
        JinjaError("the format's \"%\(conversion.letter)\" cannot write a value of type \(value.typeName).")
    }

    /// `format.format(…)` with fields that are empty, a number or a name: `{}`, `{0}`, `{name}`, each with `!r` or `!s`.
    func formatted(_ format: String, braces arguments: CallArguments) throws -> String {
        var result = ""
        var rest = format.unicodeScalars[...]
        var used = 0
        while let scalar = rest.popFirst() {
            guard scalar == "{" || scalar == "}" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            if rest.first == scalar {
                result.unicodeScalars.append(scalar)
                rest.removeFirst()
                continue
            }
            guard scalar == "{", let end = rest.firstIndex(of: "}") else {
                throw JinjaError("the format has a single \"\(scalar)\".")
            }
            let parts = String(rest[..<end]).split(separator: "!", maxSplits: 1, omittingEmptySubsequences: false)
            rest = rest[rest.index(after: end)...]
            let value: Value
            if let place = parts[0].isEmpty ? used : Int(parts[0]) {
                used += 1
                guard arguments.positional.indices.contains(place) else {
                    throw JinjaError("there are too few values for the format.")
                }
                value = arguments.positional[place]
            } else if let argument = arguments.named.first(where: { $0.name == parts[0] }) {
                value = argument.value
            } else {
                throw JinjaError(
                    .unsupported,
                    "the format's field \"\(parts[0])\" names no argument or uses an unsupported feature.")
            }
            let text = try parts.count == 2 && parts[1] == "r" ? representation(value) : text(value)
            try budget.allocate(text.utf8.count)
            result += text
        }
        try budget.allocate(format.utf8.count)
        return result
    }
}

/// The pieces of a format with `%` conversions.
private struct PercentFormat {
    struct Conversion {
        var name: String?
        var flags: [Unicode.Scalar] = []
        var width: Int?
        var precision: Int?
        /// `*`: the width, or the precision, is a value.
        var takesWidth = false
        var takesPrecision = false
        var letter: Unicode.Scalar
    }

    enum Piece {
        case text(String)
        case conversion(Conversion)
    }

    private var rest: Substring.UnicodeScalarView

    init(_ format: String) { rest = Substring(format).unicodeScalars }

    mutating func next() throws -> Piece? {
        guard let first = rest.first else { return nil }
        guard first == "%" else {
            let text = rest.prefix { $0 != "%" }
            rest = rest[text.endIndex...]
            return .text(String(text))
        }
        rest.removeFirst()
        var conversion = Conversion(letter: "%")
        if rest.first == "(" {
            guard let end = rest.firstIndex(of: ")") else {
                throw JinjaError("a name in the format is not closed by \")\".")
            }
            conversion.name = String(rest[..<end].dropFirst())
            rest = rest[rest.index(after: end)...]
        }
        while let flag = rest.first, "#0- +".unicodeScalars.contains(flag) {
            conversion.flags.append(rest.removeFirst())
        }
        (conversion.width, conversion.takesWidth) = try number()
        if rest.first == "." {
            rest.removeFirst()
            (conversion.precision, conversion.takesPrecision) = try number()
            if conversion.precision == nil, !conversion.takesPrecision { conversion.precision = 0 }
        }
        guard let letter = rest.popFirst() else { throw JinjaError("the format ends within a conversion.") }
        conversion.letter = letter
        return letter == "%" ? .text("%") : .conversion(conversion)
    }

    private mutating func number() throws -> (Int?, Bool) {
        if rest.first == "*" {
            rest.removeFirst()
            return (nil, true)
        }
        let digits = rest.prefix(while: \.isASCIIDigit)
        rest = rest[digits.endIndex...]
        guard !digits.isEmpty else { return (nil, false) }
        guard let number = Int(String(digits)) else { throw JinjaError("a number in the format is too large.") }
        return (number, false)
    }
}
