extension Jinja {
    private typealias Method = Callable<Value>

    static let stringMethods: [String: Callable<Value>] = {
        var methods = changingMethods.merging(searchingMethods) { first, _ in first }
        methods.merge(plainMethods) { first, _ in first }
        let kinds: [(String, @Sendable (String) -> Bool)] = [
            ("isspace", { $0.isAll(\.isPythonSpace) }),
            ("isalpha", { $0.isAll(\.isLetter) }),
            ("isdecimal", { $0.isAll { $0.properties.numericType == .decimal } }),
            ("isdigit", { $0.isAll { [.decimal, .digit].contains($0.properties.numericType) } }),
            ("isnumeric", { $0.isAll { $0.properties.numericType != nil } }),
            ("isalnum", { $0.isAll { $0.isLetter || $0.properties.numericType != nil } }),
            ("isascii", { $0.utf8.allSatisfy { $0 < 0x80 } }),
            ("islower", { $0.hasOnlyCase(\.isLowercase) }),
            ("isupper", { $0.hasOnlyCase(\.isUppercase) }),
            ("istitle", \.isTitle),
            ("isidentifier", \.isIdentifier),
            ("isprintable", { $0.unicodeScalars.allSatisfy(\.isPythonPrintable) }),
        ]
        for (name, isKind) in kinds {
            methods[name] = Method("") { renderer, value, _ in .boolean(isKind(try renderer.paidText(value))) }
        }
        return methods
    }()

    /// Methods that give a changed text.
    private static let changingMethods: [String: Callable<Value>] = [
        "replace": Method("old new count?") { renderer, value, arguments in
            .string(
                try renderer.replace(
                    arguments.requiredString(0), with: arguments.requiredString(1), in: renderer.text(value),
                    count: arguments.given(2) ?? -1))
        },
        "removeprefix": Method("prefix") { renderer, value, arguments in
            let (text, prefix) = (try renderer.paidText(value), try arguments.requiredString(0))
            return .string(
                text.utf8.starts(with: prefix.utf8)
                    ? String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : text)
        },
        "removesuffix": Method("suffix") { renderer, value, arguments in
            let (text, suffix) = (try renderer.paidText(value), try arguments.requiredString(0))
            return .string(
                text.utf8.reversed().starts(with: suffix.utf8.reversed())
                    ? String(decoding: text.utf8.dropLast(suffix.utf8.count), as: UTF8.self) : text)
        },
        "join": Method("iterable") { renderer, value, arguments in
            let elements = try renderer.elements(of: arguments[0] ?? .none)
            if let wrong = elements.first(where: { $0.string == nil }) {
                throw JinjaError("\"join\" joins strings, not values of type \(wrong.typeName).")
            }
            return .string(try renderer.joined(elements, by: renderer.text(value)))
        },
        "zfill": Method("width") { renderer, value, arguments in
            let text = try renderer.text(value)
            let sign =
                text.utf8.first.map { "+-".utf8.contains($0) } ?? false
                ? text.unicodeScalars.prefix(1) : Substring().unicodeScalars
            let zeros = try renderer.padding("0", arguments.requiredInteger(0), text)
            return .string(String(sign) + zeros + String(text.unicodeScalars.dropFirst(sign.count)))
        },
        "ljust": Method("width fillchar?") { renderer, value, arguments in
            let text = try renderer.text(value)
            return .string(try text + renderer.padding(arguments.fill(1), arguments.requiredInteger(0), text))
        },
        "rjust": Method("width fillchar?") { renderer, value, arguments in
            let text = try renderer.text(value)
            return .string(try renderer.padding(arguments.fill(1), arguments.requiredInteger(0), text) + text)
        },
        "center": Method("width fillchar?") { renderer, value, arguments in
            let (text, width) = (try renderer.text(value), try arguments.requiredInteger(0))
            return .string(try renderer.centered(text, width, fill: arguments.fill(1)))
        },
        "format": Method(nil) { renderer, value, arguments in
            .string(try renderer.formatted(renderer.text(value), braces: arguments.all))
        },
        "format_map": Method("mapping") { renderer, value, arguments in
            guard case .dictionary(let mapping)? = arguments[0] else {
                throw JinjaError("\"format_map\" needs a dictionary.")
            }
            let named = zip(mapping.keys, mapping.values).compactMap { key, value in
                key.string.map { (name: $0, value: value) }
            }
            return .string(try renderer.formatted(renderer.text(value), braces: CallArguments(named: named)))
        },
        "expandtabs": Method("tabsize?") { renderer, value, arguments in
            .string(try renderer.expandingTabs(renderer.paidText(value), size: arguments.given(0) ?? 8))
        },
    ]

    /// Methods that take characters away at the ends, or change the case of all.
    private static let plainMethods: [String: Callable<Value>] = {
        var methods: [String: Callable<Value>] = [:]
        for (name, start, end) in [("strip", true, true), ("lstrip", true, false), ("rstrip", false, true)] {
            methods[name] = Method("chars?") { renderer, value, arguments in
                .string(try renderer.paidText(value).stripped(of: arguments.string(0), start: start, end: end))
            }
        }
        let changes: [(String, @Sendable (String) -> String)] = [
            ("lower", { $0.pythonLowercased }), ("casefold", { $0.lowercased() }), ("upper", { $0.uppercased() }),
            ("capitalize", { $0.pythonCapitalized }), ("title", { $0.pythonTitle }), ("swapcase", { $0.swappingCase }),
        ]
        for (name, change) in changes {
            methods[name] = Method("") { renderer, value, _ in .string(change(try renderer.paidText(value))) }
        }
        return methods
    }()

    /// Methods that search or cut.
    private static let searchingMethods: [String: Callable<Value>] = {
        var methods: [String: Callable<Value>] = [
            "splitlines": Method("keepends?") { renderer, value, arguments in
                let text = try renderer.paidText(value)
                try renderer.budget.allocate(text.utf8.count, each: 8)
                return .list(try renderer.list(text.lines(keepingEnds: (arguments.given(0) ?? 0) != 0)))
            },
            "count": Method("sub start? end?") { renderer, value, arguments in
                let (text, _) = try renderer.part(of: value, arguments)
                let part = try arguments.requiredString(0)
                if part.utf8.isEmpty { return .integer(text.map { $0.unicodeScalars.count + 1 } ?? 0) }
                return .integer(try renderer.places(of: part, in: Array((text ?? "").utf8)).count)
            },
            "startswith": Method("prefix start? end?") { renderer, value, arguments in
                try renderer.matches(value, arguments) { $0.starts(with: $1) }
            },
            "endswith": Method("suffix start? end?") { renderer, value, arguments in
                try renderer.matches(value, arguments) { $0.reversed().starts(with: $1.reversed()) }
            },
        ]
        for fromEnd in [false, true] {
            let r = fromEnd ? "r" : ""
            methods["\(r)split"] = Method("sep? maxsplit?") { renderer, value, arguments in
                try renderer.split(
                    renderer.text(value), by: arguments.string(0), limit: arguments.given(1) ?? -1, fromEnd: fromEnd)
            }
            methods["\(r)partition"] = Method("sep") { renderer, value, arguments in
                try renderer.partition(renderer.paidText(value), by: arguments.requiredString(0), fromEnd: fromEnd)
            }
            methods["\(r)find"] = Method("sub start? end?") { renderer, value, arguments in
                .integer(try renderer.place(in: value, arguments, fromEnd: fromEnd) ?? -1)
            }
            methods["\(r)index"] = Method("sub start? end?") { renderer, value, arguments in
                guard let place = try renderer.place(in: value, arguments, fromEnd: fromEnd) else {
                    throw JinjaError("\"\(arguments.callee)\" does not find the text.")
                }
                return .integer(place)
            }
        }
        return methods
    }()
}

extension Jinja.BoundArguments {
    /// The character that fills up: a space where none is given.
    fileprivate func fill(_ index: Int) throws -> String { try self[index] == nil ? " " : requiredString(index) }
}

extension Jinja.Renderer {
    /// `str.center`
    func centered(_ text: String, _ width: Int, fill: String = " ") throws -> String {
        let padding = try padding(fill, width, text).unicodeScalars
        // As CPython rounds it.
        let left = padding.count / 2 + (padding.count & width & 1)
        return String(padding.prefix(left)) + text + String(padding.dropFirst(left))
    }

    /// `str.expandtabs`
    fileprivate func expandingTabs(_ text: String, size: Int) throws -> String {
        var result = String.UnicodeScalarView()
        var column = 0
        for scalar in text.unicodeScalars {
            if scalar == "\t" {
                guard size > 0 else { continue }
                let count = size - column % size
                try budget.allocate(count)
                result.append(contentsOf: repeatElement(" ", count: count))
                column += count
            } else {
                result.append(scalar)
                column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
            }
        }
        return String(result)
    }

    /// What fills a text up to a width.
    fileprivate func padding(_ fill: String, _ width: Int, _ text: String) throws -> String {
        guard fill.unicodeScalars.count == 1 else { throw JinjaError("\"fillchar\" must be one character.") }
        let count = max(0, width.subtractingReportingOverflow(text.unicodeScalars.count).partialValue)
        guard width > 0 else { return "" }
        try budget.allocate(fill.utf8.count, each: count)
        try budget.allocate(text.utf8.count)
        return String(repeating: fill, count: count)
    }

    /// The part of a text from `start` to `end`, the second and third of a method's arguments, and where it starts.
    /// There is none where `start` lies behind the end.
    fileprivate func part(of value: Value, _ arguments: BoundArguments) throws -> (text: String?, start: Int) {
        let text = try paidText(value)
        guard arguments.present(1) != nil || arguments.present(2) != nil else { return (text, 0) }
        let count = text.unicodeScalars.count
        func bound(_ place: Int) -> Int {
            place < 0 ? max(0, place.addingReportingOverflow(count).partialValue) : place
        }
        let start = bound(try arguments.integer(1) ?? 0)
        let end = min(count, bound(try arguments.integer(2) ?? count))
        guard start <= end else { return (nil, start) }
        return (String(text.unicodeScalars.dropFirst(start).prefix(end - start)), start)
    }

    /// Where a text occurs, in characters.
    fileprivate func place(in value: Value, _ arguments: BoundArguments, fromEnd: Bool) throws -> Int? {
        let (text, start) = try part(of: value, arguments)
        guard let bytes = text.map({ Array($0.utf8) }) else { return nil }
        let found = try places(of: arguments.requiredString(0), in: bytes, limit: 1, fromEnd: fromEnd)
        return found.first.map { start + bytes[..<$0].count { $0 & 0xC0 != 0x80 } }
    }

    /// Whether the text begins or ends with the first argument, or with one of its items where it is a tuple.
    fileprivate func matches(
        _ value: Value, _ arguments: BoundArguments, _ isMatch: (String.UTF8View, String.UTF8View) -> Bool
    ) throws -> Value {
        guard let text = try part(of: value, arguments).text else { return .boolean(false) }
        guard case .tuple(let items)? = arguments[0] else {
            return .boolean(isMatch(text.utf8, try arguments.requiredString(0).utf8))
        }
        for item in items.values {
            guard let wanted = item.string else {
                throw JinjaError("\"\(arguments.callee)\" needs strings, not values of type \(item.typeName).")
            }
            try budget.spend(min(wanted.utf8.count, text.utf8.count) / 16 + 1)
            if isMatch(text.utf8, wanted.utf8) { return .boolean(true) }
        }
        return .boolean(false)
    }

    fileprivate func partition(_ text: String, by separator: String, fromEnd: Bool) throws -> Value {
        guard !separator.utf8.isEmpty else { throw JinjaError("the separator must not be empty.") }
        let bytes = Array(text.utf8)
        guard let place = try places(of: separator, in: bytes, limit: 1, fromEnd: fromEnd).first else {
            return .tuple(try list(fromEnd ? ["", "", text] : [text, "", ""]))
        }
        let before = String(decoding: bytes[..<place], as: UTF8.self)
        let after = String(decoding: bytes[(place + separator.utf8.count)...], as: UTF8.self)
        return .tuple(try list([before, separator, after]))
    }
}
