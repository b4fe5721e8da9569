extension Jinja.Renderer {
    static func methods(of value: Value) -> [String: Jinja.Callable<Value>] {
        switch value {
        case .string: Jinja.stringMethods
        case .list, .tuple: Jinja.listMethods
        case .dictionary: Jinja.dictionaryMethods
        case .loop: Jinja.loopMethods
        case .cycler: Jinja.cyclerMethods
        default: [:]
        }
    }

    /// Methods that would change a value, which the sandbox refuses.
    static func refusedMethods(of value: Value) -> Set<String> {
        switch value {
        case .list: ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"]
        case .dictionary: ["clear", "pop", "popitem", "setdefault", "update"]
        default: []
        }
    }

    func call(_ method: Jinja.BoundMethod, _ arguments: CallArguments) throws -> Value {
        guard let callable = Self.methods(of: method.receiver)[method.name] else {
            throw JinjaError("there is no method \"\(method.name)\".")
        }
        return try callable(self, method.receiver, arguments, name: method.name)
    }

    fileprivate func view(_ kind: Jinja.View.Kind, of value: Value) throws -> Value {
        guard case .dictionary(let dictionary) = value else { return .none }
        try budget.spend(dictionary.count / 8)
        switch kind {
        case .keys: return .view(Jinja.View(kind: kind, items: try Jinja.Items(dictionary.keys)))
        case .values: return .view(Jinja.View(kind: kind, items: try Jinja.Items(dictionary.values)))
        case .items: return .view(Jinja.View(kind: kind, items: try Jinja.Items(pairs(of: dictionary))))
        }
    }
}

extension Jinja {
    private typealias Method = Callable<Value>

    fileprivate static let dictionaryMethods: [String: Callable<Value>] = [
        "keys": Method("") { renderer, value, _ in try renderer.view(.keys, of: value) },
        "values": Method("") { renderer, value, _ in try renderer.view(.values, of: value) },
        "items": Method("") { renderer, value, _ in try renderer.view(.items, of: value) },
        "copy": Method("") { _, value, _ in value },
        "get": Method("key default?") { renderer, value, arguments in
            guard case .dictionary(let dictionary) = value else { return .none }
            return dictionary[try renderer.key(arguments[0] ?? .none)] ?? arguments[1] ?? .none
        },
    ]

    fileprivate static let listMethods: [String: Callable<Value>] = [
        "count": Method("value") { renderer, value, arguments in
            .integer(
                try renderer.elements(of: value).count { try renderer.isEqual($0, arguments[0] ?? .none) })
        },
        "index": Method("value") { renderer, value, arguments in
            let elements = try renderer.elements(of: value)
            guard let place = try elements.firstIndex(where: { try renderer.isEqual($0, arguments[0] ?? .none) }) else {
                throw JinjaError("\"index\" finds no such item.")
            }
            return .integer(place)
        },
        "copy": Method("") { _, value, _ in value },
    ]

    fileprivate static let loopMethods: [String: Callable<Value>] = [
        "cycle": Method(nil) { _, value, arguments in
            let values = arguments.all.positional
            guard case .loop(let loop) = value, !values.isEmpty else { throw JinjaError("\"cycle\" needs values.") }
            return values[loop.index % values.count]
        },
        "changed": Method(nil) { renderer, value, arguments in
            guard case .loop(let loop) = value else { return .none }
            let values = Value.tuple(try Items(arguments.all.positional))
            let seen = try (try? renderer.key(values)) ?? .string(ExactString(renderer.representation(values)))
            defer { loop.lastSeen = seen }
            return .boolean(seen != loop.lastSeen)
        },
    ]

    fileprivate static let cyclerMethods: [String: Callable<Value>] = [
        "next": Method("") { _, value, _ in
            guard case .cycler(let cycler) = value else { return .none }
            return cycler.next()
        },
        "reset": Method("") { _, value, _ in
            if case .cycler(let cycler) = value { cycler.reset() }
            return .none
        },
    ]
}
