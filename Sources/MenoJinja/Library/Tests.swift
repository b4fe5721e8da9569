extension Jinja.Renderer {
    func test(_ name: String, _ value: Value, _ arguments: CallArguments) throws -> Bool {
        guard let test = Jinja.tests[name] else {
            throw name == "escaped"
                ? JinjaError(.unsupported, "the test \"escaped\" is not supported.")
                : JinjaError("there is no test \"\(name)\".")
        }
        return try test(self, value, arguments, name: name)
    }
}

extension Jinja {
    private typealias Test = Callable<Bool>

    static let tests: [String: Callable<Bool>] = kindTests.merging(comparisonTests) { first, _ in first }

    private static let kindTests: [String: Callable<Bool>] = [
        "defined": Test("") { _, value, _ in !value.isUndefined },
        "undefined": Test("") { _, value, _ in value.isUndefined },
        "none": Test("") { _, value, _ in if case .none = value { true } else { false } },
        "boolean": Test("") { _, value, _ in if case .boolean = value { true } else { false } },
        "true": Test("") { _, value, _ in if case .boolean(true) = value { true } else { false } },
        "false": Test("") { _, value, _ in if case .boolean(false) = value { true } else { false } },
        "integer": Test("") { _, value, _ in if case .integer = value { true } else { false } },
        "float": Test("") { _, value, _ in if case .double = value { true } else { false } },
        "number": Test("") { _, value, _ in value.double != nil },
        "string": Test("") { _, value, _ in value.string != nil },
        "mapping": Test("") { _, value, _ in if case .dictionary = value { true } else { false } },
        "sequence": Test("") { _, value, _ in
            switch value {
            case .undefined, .string, .list, .tuple, .dictionary, .range: true
            default: false
            }
        },
        "iterable": Test("") { _, value, _ in
            switch value {
            case .undefined, .string, .list, .tuple, .dictionary, .view, .range, .iterator, .loop: true
            default: false
            }
        },
        "callable": Test("") { _, value, _ in
            switch value {
            case .undefined, .macro, .function, .method, .loop, .joiner: true
            default: false
            }
        },
        "lower": Test("") { renderer, value, _ in try renderer.text(value).hasOnlyCase { $0.isLowercase } },
        "upper": Test("") { renderer, value, _ in try renderer.text(value).hasOnlyCase { $0.isUppercase } },
        "filter": Test("") { renderer, value, _ in
            _ = try renderer.key(value)
            return value.string.map { filters[$0] != nil } ?? false
        },
        "test": Test("") { renderer, value, _ in
            _ = try renderer.key(value)
            return value.string.map { tests[$0] != nil } ?? false
        },
    ]

    private static let comparisonTests: [String: Callable<Bool>] = {
        var tests: [String: Callable<Bool>] = [
            "odd": Test("") { renderer, value, _ in try renderer.remainder(value, .integer(2)) == 1 },
            "even": Test("") { renderer, value, _ in try renderer.remainder(value, .integer(2)) == 0 },
            "divisibleby": Test("num") { renderer, value, arguments in
                try renderer.remainder(value, arguments[0] ?? .none) == 0
            },
            "sameas": Test("other") { renderer, value, arguments in
                let other = arguments[0] ?? .none
                return try value.typeName == other.typeName && renderer.isEqual(value, other)
            },
            "in": Test("seq") { renderer, value, arguments in try renderer.contains(arguments[0] ?? .none, value) },
        ]
        let comparisons: [(Comparison, names: [String])] = [
            (.equal, ["==", "eq", "equalto"]), (.notEqual, ["!=", "ne"]), (.less, ["<", "lt", "lessthan"]),
            (.lessOrEqual, ["<=", "le"]), (.greater, [">", "gt", "greaterthan"]), (.greaterOrEqual, [">=", "ge"]),
        ]
        for (comparison, names) in comparisons {
            for name in names {
                tests[name] = Test("other") { renderer, value, arguments in
                    try renderer.holds(comparison, value, arguments[0] ?? .none)
                }
            }
        }
        return tests
    }()
}

extension Jinja.Renderer {
    fileprivate func remainder(_ value: Value, _ divisor: Value) throws -> Double? {
        try arithmetic(.modulo, value, divisor).double
    }
}

extension String {
    /// Whether there is a letter with case, and none that lacks the property. (`str.islower`, `str.isupper`)
    func hasOnlyCase(_ isWanted: (Unicode.Scalar.Properties) -> Bool) -> Bool {
        var found = false
        for scalar in unicodeScalars where scalar.properties.isLowercase || scalar.properties.isUppercase {
            guard isWanted(scalar.properties) else { return false }
            found = true
        }
        return found
    }
}
