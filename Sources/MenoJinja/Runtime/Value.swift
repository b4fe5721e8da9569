extension Jinja {
    /// A value while a template runs, with Python's types as far as templates can tell them apart.
    enum Value {
        /// With the error of using it for more than printing, testing or looping.
        case undefined(String)
        case none
        case boolean(Bool)
        case integer(Int)
        case double(Double)
        case string(String)
        case list(Items)
        case tuple(Items)
        case dictionary(Dictionary)
        case view(View)
        case range(Range)
        case iterator(Iterator)
        case namespace(Namespace)
        case macro(Macro)
        case function(Function)
        case method(BoundMethod)
        case loop(LoopState)
        case cycler(Cycler)
        case joiner(Joiner)

        static func undefined(name: String) -> Value { .undefined("\"\(name)\" is undefined.") }

        /// The name of its type in Python, for messages.
        var typeName: String {
            switch self {
            case .undefined: "Undefined"
            case .none: "NoneType"
            case .boolean: "bool"
            case .integer: "int"
            case .double: "float"
            case .string: "str"
            case .list: "list"
            case .tuple: "tuple"
            case .dictionary: "dict"
            case .view(let view): "dict_\(view.kind.rawValue)"
            case .range: "range"
            case .iterator: "generator"
            case .namespace: "Namespace"
            case .macro: "Macro"
            case .function: "function"
            case .method: "builtin_function_or_method"
            case .loop: "LoopContext"
            case .cycler: "Cycler"
            case .joiner: "Joiner"
            }
        }

        /// How deep values are nested in it. References that may form a circle count as leaves: printing them goes no
        /// further than its own limit, and their circles are broken when the rendering ends.
        var depth: Int {
            switch self {
            case .list(let items), .tuple(let items): items.depth
            case .dictionary(let dictionary): dictionary.depth
            case .view(let view): view.items.depth
            case .iterator(let iterator): iterator.depth
            case .method(let method): method.depth
            case .loop(let loop): loop.items.depth + 1
            case .cycler(let cycler): cycler.items.depth + 1
            case .joiner(let joiner): joiner.depth
            default: 0
            }
        }

        var isUndefined: Bool {
            if case .undefined = self { return true }
            return false
        }

        /// Integers and booleans, which Python counts among them.
        var integer: Int? {
            switch self {
            case .integer(let value): value
            case .boolean(let value): value ? 1 : 0
            default: nil
            }
        }

        var double: Double? {
            if case .double(let value) = self { return value }
            return integer.map(Double.init)
        }

        var string: String? {
            if case .string(let value) = self { return value }
            return nil
        }
    }

    /// The depth of a container of values, or an error where that would be too deep for recursion.
    static func depth(over values: some Sequence<Value>) throws -> Int {
        let depth = 1 + (values.lazy.map(\.depth).max() ?? 0)
        guard depth <= Depth.value else {
            throw JinjaError(.limit, "values are nested more than \(Depth.value) deep.")
        }
        return depth
    }

    struct Items {
        let values: [Value]
        let depth: Int
        /// What attributes give the items, as in Python's named tuples.
        let names: [String]

        init(_ values: [Value], names: [String] = []) throws {
            self.values = values
            self.names = names
            depth = try Jinja.depth(over: values)
        }
    }

    /// A dictionary's key: numbers that are equal in Python are the same key.
    enum Key: Hashable {
        case undefined
        case none
        case integer(Int)
        case double(Double)
        case string(ExactString)
        case tuple([Key])
    }

    struct Dictionary {
        private(set) var keys: [Value] = []
        private(set) var values: [Value] = []
        private var hashables: [Key] = []
        /// Of many keys only; a few are looked through.
        private var places: [Key: Int] = [:]
        private(set) var depth = 1

        private static let mostLookedThrough = 8

        var count: Int { keys.count }

        private func place(of key: Key) -> Int? {
            hashables.count <= Self.mostLookedThrough ? hashables.firstIndex(of: key) : places[key]
        }

        subscript(key: Key) -> Value? { place(of: key).map { values[$0] } }

        mutating func set(_ key: Key, _ original: Value, to value: Value) throws {
            depth = try max(
                depth, Jinja.depth(over: CollectionOfOne(value)), Jinja.depth(over: CollectionOfOne(original)))
            if let place = place(of: key) {
                values[place] = value
                return
            }
            keys.append(original)
            values.append(value)
            hashables.append(key)
            guard hashables.count > Self.mostLookedThrough else { return }
            for place in places.count..<hashables.count { places[hashables[place]] = place }
        }

        mutating func set(_ name: String, to value: Value) throws {
            try set(.string(ExactString(name)), .string(name), to: value)
        }

        subscript(name: String) -> Value? { self[.string(ExactString(name))] }
    }

    /// `keys()`, `values()` and `items()` of a dictionary.
    struct View {
        enum Kind: String { case keys, values, items }
        let kind: Kind
        let items: Items
    }

    /// `range(start, stop, step)` of at most 100,000 numbers, as jinja2's sandbox has it.
    struct Range {
        static let limit = 100_000
        let start: Int
        let stop: Int
        let step: Int
        let count: Int

        init(_ start: Int, _ stop: Int, _ step: Int) throws {
            guard step != 0 else { throw JinjaError("the step of range() is zero.") }
            let (distance, overflow) = stop.subtractingReportingOverflow(start)
            let isEmpty = step > 0 ? start >= stop : start <= stop
            let count = isEmpty ? 0 : (distance.magnitude - 1) / step.magnitude + 1
            guard isEmpty || !overflow, count <= Self.limit else {
                throw JinjaError(.limit, "range() produces more than \(Self.limit) numbers.")
            }
            (self.start, self.stop, self.step, self.count) = (start, stop, step, Int(count))
        }

        /// The elements lie between `start` and `stop`, so nothing overflows.
        subscript(index: Int) -> Value { .integer(start + index * step) }
    }

    /// What gives its elements once, as the filters `map` and `select` do: it has no length, is always true, and a
    /// second loop over it finds nothing.
    final class Iterator {
        private var rest: ArraySlice<Value>
        let depth: Int

        init(_ values: [Value]) throws {
            depth = try Jinja.depth(over: values)
            rest = values[...]
        }

        func next() -> Value? { rest.popFirst() }

        func takeRest() -> [Value] {
            defer { rest = [] }
            return Array(rest)
        }
    }

    final class Namespace {
        var attributes = Dictionary()
    }

    /// Names and their values. Most scopes have a few, which are looked through faster than hashed.
    struct Variables {
        private static let mostLookedThrough = 16

        private var names: [String] = []
        private var values: [Value] = []
        private var places: [String: Int] = [:]

        private func place(of name: String) -> Int? {
            names.count <= Self.mostLookedThrough ? names.firstIndex(of: name) : places[name]
        }

        subscript(name: String) -> Value? {
            get { place(of: name).map { values[$0] } }
            set {
                guard let newValue else { preconditionFailure("no name is taken back") }
                if let place = place(of: name) {
                    values[place] = newValue
                    return
                }
                names.append(name)
                values.append(newValue)
                guard names.count > Self.mostLookedThrough else { return }
                for place in places.count..<names.count { places[names[place]] = place }
            }
        }
    }

    final class Scope {
        var variables = Variables()
        let parent: Scope?

        init(parent: Scope?) { self.parent = parent }

        func value(of name: String) -> Value? {
            var scope: Scope? = self
            while let current = scope {
                if let value = current.variables[name] { return value }
                scope = current.parent
            }
            return nil
        }
    }

    final class Macro {
        let definition: MacroDefinition
        /// Where it was defined: what its body sees.
        let scope: Scope

        init(_ definition: MacroDefinition, scope: Scope) {
            self.definition = definition
            self.scope = scope
        }
    }

    enum Function: String {
        case range, namespace, dict, cycler, joiner
        case raise = "raise_exception"
        case strftime = "strftime_now"
    }

    /// A method looked up and not yet called.
    final class BoundMethod {
        let receiver: Value
        let name: String
        let depth: Int

        init(_ receiver: Value, _ name: String) throws {
            self.receiver = receiver
            self.name = name
            depth = try Jinja.depth(over: CollectionOfOne(receiver))
        }
    }

    final class LoopState {
        let items: Items
        var index = 0
        /// What `changed` was called with last, as a key or else as text, which form no circles.
        var lastSeen: Key?

        init(_ items: Items) { self.items = items }
    }
}
