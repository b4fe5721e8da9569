/// Filters that give the elements in groups.
extension Jinja {
    private typealias Filter = Callable<Value>

    static let groupFilters: [String: Callable<Value>] = [
        "groupby": Filter("attribute default? case_sensitive?") { renderer, value, arguments in
            .list(try Items(renderer.groups(value, arguments)))
        },
        "batch": Filter("linecount fill_with?") { renderer, value, arguments in
            .iterator(try Iterator(renderer.batches(value, of: arguments[0] ?? .none, fill: arguments.present(1))))
        },
        "slice": Filter("slices fill_with?") { renderer, value, arguments in
            .iterator(
                try Iterator(
                    renderer.slices(value, count: arguments.requiredInteger(0), fill: arguments.present(1))))
        },
    ]
}

extension Jinja.Renderer {
    /// Named tuples of an attribute's value and of the elements that have it, in the order of the values.
    fileprivate func groups(_ value: Value, _ arguments: BoundArguments) throws -> [Value] {
        let (path, fallback) = (arguments[0] ?? .none, arguments.present(1))
        let keepsCase = isTrue(arguments[2] ?? .none)
        let key = try sortKey(path, default: fallback, keepsCase: keepsCase)
        var groups: [(key: Value, elements: [Value])] = []
        for element in try sorted(paidElements(value), isReversed: false, by: key) {
            let key = try key(element)
            if let last = groups.last, try isEqual(last.key, key) {
                groups[groups.count - 1].elements.append(element)
            } else {
                groups.append((key, [element]))
            }
        }
        try budget.allocate(groups.count, each: 128)
        return try groups.map { group in
            // What the first element has, in its own case.
            let shown = keepsCase ? group.key : try attribute(path: path, of: group.elements[0], default: fallback)
            return .tuple(try Jinja.Items([shown, .list(Jinja.Items(group.elements))], names: ["grouper", "list"]))
        }
    }

    /// Lists of `size` elements, the last one filled up.
    fileprivate func batches(_ value: Value, of size: Value, fill: Value?) throws -> [Value] {
        // As in jinja2, a size that no list reaches gives one list.
        let count = size.integer ?? size.double.flatMap(Int.init(exactly:))
        var batches: [[Value]] = []
        var batch: [Value] = []
        for element in try paidElements(value) {
            if batch.count == count {
                batches.append(batch)
                batch = []
            }
            batch.append(element)
        }
        if !batch.isEmpty {
            if let fill {
                guard let count = size.integer else {
                    throw JinjaError("\"linecount\" of \"batch\" must be a whole number, not of type \(size.typeName).")
                }
                let missing = max(0, count - batch.count)
                try budget.allocate(missing, each: 32)
                batch += Array(repeating: fill, count: missing)
            }
            batches.append(batch)
        }
        try budget.allocate(batches.count, each: 64)
        return try batches.map { .list(try Jinja.Items($0)) }
    }

    /// `count` lists of nearly the same length, the shorter ones filled up by one element.
    fileprivate func slices(_ value: Value, count: Int, fill: Value?) throws -> [Value] {
        let elements = try paidElements(value)
        guard count != 0 else { throw JinjaError("\"slices\" of \"slice\" must not be 0.") }
        guard count > 0 else { return [] }
        try budget.allocate(count, each: 96)
        let (size, longer) = elements.count.quotientAndRemainder(dividingBy: count)
        var start = 0
        return try (0..<count).map { index in
            let end = start + size + (index < longer ? 1 : 0)
            defer { start = end }
            let filling = index < longer ? [] : fill.map { [$0] } ?? []
            return .list(try Jinja.Items(elements[start..<end] + filling))
        }
    }
}
