extension Jinja {
    private typealias Filter = Callable<Value>

    static let sequenceFilters: [String: Callable<Value>] = elementFilters.merging(orderFilters) { first, _ in first }

    private static let elementFilters: [String: Callable<Value>] = [
        "length": Filter("") { renderer, value, _ in .integer(try renderer.length(of: value)) },
        "first": Filter("") { renderer, value, _ in
            if case .iterator(let iterator) = value { return iterator.next() ?? .undefined("there is no first item.") }
            return try renderer.elements(of: value).first ?? .undefined("there is no first item.")
        },
        "last": Filter("") { renderer, value, _ in
            if case .iterator = value { throw JinjaError("a generator has no last item: make it a list first.") }
            return try renderer.elements(of: value).last ?? .undefined("there is no last item.")
        },
        "list": Filter("") { renderer, value, _ in
            let elements = try renderer.elements(of: value)
            try renderer.budget.allocate(elements.count, each: 32)
            return .list(try Items(elements))
        },
        "items": Filter("") { renderer, value, _ in
            switch value {
            case .undefined: return .iterator(try Iterator([]))
            case .dictionary(let dictionary): return .iterator(try Iterator(renderer.pairs(of: dictionary)))
            default: throw JinjaError("a value of type \(value.typeName) has no items.")
            }
        },
        "join": Filter("d? attribute?") { renderer, value, arguments in
            var elements = try renderer.elements(of: value)
            if let attribute = arguments.present(1) {
                elements = try elements.map { try renderer.attribute(path: attribute, of: $0) }
            }
            return .string(try renderer.joined(elements, by: renderer.text(arguments[0] ?? .string(""))))
        },
        "map": Filter(nil) { renderer, value, arguments in
            // jinja2 asks nothing more of what is `none`, 0 or false.
            guard renderer.isTrue(value) else { return .iterator(try Iterator([])) }
            let change = try renderer.mapping(arguments.all)
            return .iterator(try Iterator(renderer.paidElements(value).map(change)))
        },
        "select": Filter(nil) { try $0.selected($1, $2.all, byAttribute: false, keeps: true) },
        "reject": Filter(nil) { try $0.selected($1, $2.all, byAttribute: false, keeps: false) },
        "selectattr": Filter(nil) { try $0.selected($1, $2.all, byAttribute: true, keeps: true) },
        "rejectattr": Filter(nil) { try $0.selected($1, $2.all, byAttribute: true, keeps: false) },
        "sum": Filter("attribute? start?") { renderer, value, arguments in
            var sum = arguments[1] ?? .integer(0)
            for element in try renderer.elements(of: value) {
                let part = try arguments.present(0).map { try renderer.attribute(path: $0, of: element) } ?? element
                sum = try renderer.arithmetic(.add, sum, part)
            }
            return sum
        },
    ]

    private static let orderFilters: [String: Callable<Value>] = [
        "reverse": Filter("") { renderer, value, _ in
            if case .string(let text) = value {
                try renderer.budget.allocate(text.utf8.count)
                var reversed = String.UnicodeScalarView()
                reversed.append(contentsOf: text.unicodeScalars.reversed())
                return .string(String(reversed))
            }
            return .iterator(try Iterator(renderer.paidElements(value).reversed()))
        },
        "sort": Filter("reverse? case_sensitive? attribute?") { renderer, value, arguments in
            let key = try renderer.sortKeys(arguments.present(2), keepsCase: renderer.isTrue(arguments[1] ?? .none))
            let isReversed = try (arguments.given(0) ?? 0) != 0
            return .list(try Items(renderer.sorted(renderer.paidElements(value), isReversed: isReversed, by: key)))
        },
        "dictsort": Filter("case_sensitive? by? reverse?") { renderer, value, arguments in
            guard case .dictionary(let dictionary) = value else {
                throw JinjaError("\"dictsort\" needs a dictionary, not a value of type \(value.typeName).")
            }
            let by = try arguments.string(1) ?? "key"
            guard by == "key" || by == "value" else {
                throw JinjaError("\"by\" of \"dictsort\" must be \"key\" or \"value\".")
            }
            let key = try renderer.sortKey(
                .integer(by == "key" ? 0 : 1), keepsCase: renderer.isTrue(arguments[0] ?? .none))
            let isReversed = try (arguments.given(2) ?? 0) != 0
            return .list(try Items(renderer.sorted(renderer.pairs(of: dictionary), isReversed: isReversed, by: key)))
        },
        "unique": Filter("case_sensitive? attribute?") { renderer, value, arguments in
            let key = try renderer.sortKey(arguments.present(1), keepsCase: renderer.isTrue(arguments[0] ?? .none))
            var seen: Set<Key> = []
            let elements = try renderer.paidElements(value)
            return .iterator(try Iterator(elements.filter { seen.insert(try renderer.key(key($0))).inserted }))
        },
        "min": Filter("case_sensitive? attribute?") { try $0.extreme($1, $2, isMaximum: false) },
        "max": Filter("case_sensitive? attribute?") { try $0.extreme($1, $2, isMaximum: true) },
    ]
}

extension Jinja.Renderer {
    /// The elements, after paying for a list of as many.
    func paidElements(_ value: Value) throws -> [Value] {
        let elements = try elements(of: value)
        try budget.allocate(elements.count, each: 64)
        return elements
    }

    func length(of value: Value) throws -> Int {
        switch value {
        case .string(let text):
            try budget.spend(text.utf8.count / 64)
            return text.unicodeScalars.count
        case .iterator, .namespace: throw JinjaError("a value of type \(value.typeName) has no length.")
        case .dictionary(let dictionary): return dictionary.count
        case .range(let range): return range.count
        case .loop(let loop): return loop.items.values.count
        default: return try elements(of: value).count
        }
    }

    /// The elements' texts, with a text between them.
    func joined(_ elements: [Value], by separator: String) throws -> String {
        var result = ""
        for (index, element) in elements.enumerated() {
            if index > 0 { result += separator }
            let text = try text(element)
            try budget.allocate(text.utf8.count + separator.utf8.count)
            result += text
        }
        return result
    }

    func pairs(of dictionary: Jinja.Dictionary) throws -> [Value] {
        try budget.allocate(dictionary.count, each: 128)
        return try zip(dictionary.keys, dictionary.values).map { .tuple(try Jinja.Items([$0, $1])) }
    }

    /// The attribute that a filter names: `name`, `0`, or `name.other.0`; `none` names the value itself. A default also
    /// stands for what is missing on the way.
    func attribute(path: Value, of value: Value, default fallback: Value? = nil) throws -> Value {
        if case .none = path { return value }
        var value = value
        func step(_ key: Value) throws {
            value = try item(key, of: value)
            if value.isUndefined, let fallback { value = fallback }
        }
        guard let text = path.string else {
            try step(path)
            return value
        }
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            try budget.spend()
            let isPlace = !part.isEmpty && part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            try step(isPlace ? Int(part).map { .integer($0) } ?? .none : .string(String(part)))
        }
        return value
    }

    /// What `map` does to each element.
    fileprivate func mapping(_ arguments: CallArguments) throws -> (Value) throws -> Value {
        if arguments.positional.isEmpty, let path = arguments.named.first(where: { $0.name == "attribute" })?.value {
            var fallback = arguments.named.first { $0.name == "default" }?.value
            guard arguments.named.count == (fallback == nil ? 1 : 2) else {
                throw JinjaError("\"map\" takes \"attribute\" and \"default\", and nothing beside them.")
            }
            if case .none? = fallback { fallback = nil }
            let replacement = fallback
            return { [self] in try attribute(path: path, of: $0, default: replacement) }
        }
        guard let name = arguments.positional.first?.string else {
            throw JinjaError("\"map\" needs the name of a filter, or \"attribute\".")
        }
        let rest = CallArguments(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
        return { [self] in
            try budget.spend()
            return try filter(name, $0, rest)
        }
    }

    fileprivate func selected(
        _ value: Value, _ arguments: CallArguments, byAttribute: Bool, keeps: Bool
    ) throws -> Value {
        guard isTrue(value) else { return .iterator(try Jinja.Iterator([])) }
        var arguments = arguments
        var path: Value?
        if byAttribute {
            guard let first = arguments.positional.first else {
                throw JinjaError("the name of an attribute is missing.")
            }
            path = first
            arguments.positional.removeFirst()
        }
        let name = arguments.positional.first
        if let name, name.string == nil {
            throw JinjaError("a test's name must be a string, not of type \(name.typeName).")
        }
        let rest = CallArguments(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
        let elements = try paidElements(value).filter { element in
            try budget.spend()
            let tested = try path.map { try attribute(path: $0, of: element) } ?? element
            return try (name?.string.map { try test($0, tested, rest) } ?? isTrue(tested)) == keeps
        }
        return .iterator(try Jinja.Iterator(elements))
    }

    // MARK: Order

    /// What elements are ordered by: themselves or an attribute, strings in lower case unless `keepsCase`.
    func sortKey(
        _ attribute: Value?, default fallback: Value? = nil, keepsCase: Bool
    ) throws -> (Value) throws -> Value {
        { [self] element in
            let value = try attribute.map { try self.attribute(path: $0, of: element, default: fallback) } ?? element
            guard !keepsCase, case .string = value else { return value }
            return .string(try paidText(value).lowercased())
        }
    }

    /// What `sort` orders by: a list of one or several attributes, with commas between them. Lists compare the first items
    /// that differ, so that equal ones need no order: `none` beside `none` can be sorted.
    fileprivate func sortKeys(_ attribute: Value?, keepsCase: Bool) throws -> (Value) throws -> Value {
        let parts = attribute?.string?.split(separator: ",")
        let paths: [Value?] = parts.map { $0.map { .string(String($0)) } } ?? [attribute]
        let keys = try paths.map { try sortKey($0, keepsCase: keepsCase) }
        return { element in .tuple(try Jinja.Items(keys.map { try $0(element) })) }
    }

    /// Elements that compare as equal stay in their order, also where it is reversed.
    func sorted(
        _ elements: [Value], isReversed: Bool, by key: (Value) throws -> Value
    ) throws -> [Value] {
        let keyed = try elements.enumerated().map { (place: $0, key: try key($1)) }
        let order = try keyed.sorted { a, b in
            if try isReversed ? isLess(b.key, a.key) : isLess(a.key, b.key) { return true }
            if try isReversed ? isLess(a.key, b.key) : isLess(b.key, a.key) { return false }
            return a.place < b.place
        }
        return order.map { elements[$0.place] }
    }

    fileprivate func extreme(_ value: Value, _ arguments: BoundArguments, isMaximum: Bool) throws -> Value {
        let key = try sortKey(arguments.present(1), keepsCase: isTrue(arguments[0] ?? .none))
        var best: (value: Value, key: Value)?
        for element in try paidElements(value) {
            let candidate = (value: element, key: try key(element))
            guard let current = best else {
                best = candidate
                continue
            }
            if try isMaximum ? isLess(current.key, candidate.key) : isLess(candidate.key, current.key) {
                best = candidate
            }
        }
        return best?.value ?? .undefined("there is no item.")
    }
}
