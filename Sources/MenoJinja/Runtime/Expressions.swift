extension Jinja {
    /// What a call brings.
    struct CallArguments {
        var positional: [Value] = []
        var named: [(name: String, value: Value)] = []
    }
}

extension Jinja.Renderer {
    typealias Expression = Jinja.Expression
    typealias CallArguments = Jinja.CallArguments

    func evaluate(_ expression: Expression) throws -> Value {
        try descend(line: expression.line) { try value(of: expression) }
    }

    // The frames of these functions are what bounds the depth of evaluation: each case only calls another function.

    private func value(of expression: Expression) throws -> Value {
        switch expression.kind {
        case .literal(let literal): value(of: literal)
        case .name(let name): lookUp(name)
        case .captured: .string(capturedText)
        case .list(let items): .list(try evaluate(items))
        case .tuple(let items): .tuple(try evaluate(items))
        case .dictionary(let pairs): try dictionary(of: pairs)
        case .attribute(let base, let name): try attribute(name, of: evaluate(base))
        case .item(let base, let index): try item(evaluate(index), of: evaluate(base))
        case .slice(let base, let slice): try self.slice(evaluate(base), slice)
        case .call(let callee, let arguments): try call(callee, arguments, expression.line)
        case .filter(let base, let name, let arguments): try filter(name, base, arguments, expression.line)
        case .test(let base, let name, let arguments): try test(name, base, arguments, expression.line)
        default: try operation(expression)
        }
    }

    private func operation(_ expression: Expression) throws -> Value {
        switch expression.kind {
        case .negative(let operand): try negative(evaluate(operand))
        case .positive(let operand): try positive(evaluate(operand))
        case .not(let operand): .boolean(try !isTrue(evaluate(operand)))
        case .and(let left, let right): try either(left, or: right, if: true)
        case .or(let left, let right): try either(left, or: right, if: false)
        case .arithmetic(let symbol, let left, let right): try arithmetic(symbol, left, right, expression.line)
        case .concatenation(let parts): .string(try concatenation(of: parts))
        case .comparison(let first, let operands): .boolean(try comparison(of: first, operands))
        case .conditional(let test, let then, let otherwise): try conditional(test, then, otherwise)
        default: preconditionFailure("every kind is handled")
        }
    }

    private func call(_ callee: Expression, _ arguments: Jinja.Arguments, _ line: Int) throws -> Value {
        let callee = try evaluate(callee)
        return try call(callee, callArguments(arguments), line: line)
    }

    private func filter(_ name: String, _ base: Expression, _ arguments: Jinja.Arguments, _ line: Int) throws -> Value {
        let base = try evaluate(base)
        let arguments = try callArguments(arguments)
        self.line = line
        return try filter(name, base, arguments)
    }

    private func test(_ name: String, _ base: Expression, _ arguments: Jinja.Arguments, _ line: Int) throws -> Value {
        let base = try evaluate(base)
        let arguments = try callArguments(arguments)
        self.line = line
        return .boolean(try test(name, base, arguments))
    }

    /// `and` and `or`: the first value unless its truth asks for the second.
    private func either(_ left: Expression, or right: Expression, if truth: Bool) throws -> Value {
        let left = try evaluate(left)
        return try isTrue(left) == truth ? evaluate(right) : left
    }

    private func arithmetic(_ symbol: Jinja.Operator, _ left: Expression, _ right: Expression, _ line: Int) throws
        -> Value
    {
        let (left, right) = (try evaluate(left), try evaluate(right))
        self.line = line
        return try arithmetic(symbol, left, right)
    }

    private func concatenation(of parts: [Expression]) throws -> String {
        var result = ""
        for part in parts {
            let text = try text(evaluate(part))
            try budget.allocate(text.utf8.count)
            result += text
        }
        return result
    }

    private func comparison(of first: Expression, _ operands: [(Jinja.Comparison, Expression)]) throws -> Bool {
        var left = try evaluate(first)
        for (comparison, operand) in operands {
            let right = try evaluate(operand)
            guard try holds(comparison, left, right) else { return false }
            left = right
        }
        return true
    }

    private func conditional(_ test: Expression, _ then: Expression, _ otherwise: Expression?) throws -> Value {
        if try isTrue(evaluate(test)) { return try evaluate(then) }
        if let otherwise { return try evaluate(otherwise) }
        return .undefined("the condition of an inline \"if\" without \"else\" is false.")
    }

    private func value(of literal: Jinja.Literal) -> Value {
        switch literal {
        case .none: .none
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .double(let value): .double(value)
        case .string(let value): .string(value)
        }
    }

    func lookUp(_ name: String) -> Value {
        if let value = scope.value(of: name) { return value }
        if let function = Jinja.Function(rawValue: name) { return .function(function) }
        if name == "lipsum" { return .undefined("\"lipsum\" is not supported: it produces random text.") }
        return .undefined(name: name)
    }

    private func evaluate(_ expressions: [Expression]) throws -> Jinja.Items {
        try budget.allocate(expressions.count, each: 32)
        return try Jinja.Items(expressions.map { try evaluate($0) })
    }

    private func dictionary(of pairs: [(key: Expression, value: Expression)]) throws -> Value {
        try budget.allocate(pairs.count, each: 128)
        var dictionary = Jinja.Dictionary()
        for pair in pairs {
            let key = try evaluate(pair.key)
            try dictionary.set(self.key(key), key, to: evaluate(pair.value))
        }
        return .dictionary(dictionary)
    }

    // MARK: Calls

    func callArguments(_ arguments: Jinja.Arguments) throws -> CallArguments {
        var result = CallArguments()
        for argument in arguments.positional { result.positional.append(try evaluate(argument)) }
        if let list = arguments.list { result.positional += try elements(of: evaluate(list)) }
        for argument in arguments.named {
            result.named.append((name: argument.name, value: try evaluate(argument.value)))
        }
        if let dictionary = arguments.dictionary {
            guard case .dictionary(let values) = try evaluate(dictionary) else {
                throw JinjaError("\"**\" needs a dictionary.")
            }
            for (key, value) in zip(values.keys, values.values) {
                guard let name = key.string else { throw JinjaError("the names after \"**\" must be strings.") }
                result.named.append((name: name, value: value))
            }
        }
        return result
    }

    func call(_ callee: Value, _ arguments: CallArguments, line: Int) throws -> Value {
        self.line = line
        switch callee {
        case .macro(let macro): return try call(macro, arguments)
        case .function(let function): return try call(function, arguments)
        case .method(let method): return try call(method, arguments)
        case .joiner(let joiner):
            guard arguments.positional.isEmpty, arguments.named.isEmpty else {
                throw JinjaError("a joiner takes no arguments.")
            }
            return joiner.next()
        case .undefined(let reason): throw JinjaError(reason)
        default: throw JinjaError("a value of type \(callee.typeName) cannot be called.")
        }
    }

    // MARK: Attributes and items

    /// `value.name`: a method first, then an item of that name.
    func attribute(_ name: String, of value: Value) throws -> Value {
        if case .undefined(let reason) = value { throw JinjaError(reason) }
        if let attribute = try ownAttribute(name, of: value) { return attribute }
        if case .dictionary(let dictionary) = value, let item = dictionary[name] { return item }
        return missing(.string(name), of: value)
    }

    /// `value[key]`: an item first, then an attribute of that name.
    func item(_ key: Value, of value: Value) throws -> Value {
        switch value {
        case .undefined(let reason): throw JinjaError(reason)
        case .dictionary(let dictionary):
            if let hashable = try? self.key(key), let item = dictionary[hashable] { return item }
        default:
            if let index = key.integer, let element = try element(index, of: value) { return element }
        }
        if case .string(let name) = key, let attribute = try ownAttribute(name, of: value) { return attribute }
        return missing(key, of: value)
    }

    private func missing(_ key: Value, of value: Value) -> Value {
        guard case .string(let name) = key else {
            return .undefined("a value of type \(value.typeName) has no item \((try? representation(key)) ?? "").")
        }
        return .undefined("a value of type \(value.typeName) has no \"\(name)\".")
    }

    /// What Python's `getattr` would find.
    func ownAttribute(_ name: String, of value: Value) throws -> Value? {
        switch value {
        case .namespace(let namespace):
            if let attribute = namespace.attributes[name] { return attribute }
        case .loop(let loop):
            if let attribute = try loopAttribute(name, of: loop) { return attribute }
        case .cycler(let cycler):
            if name == "current" { return cycler.current }
        case .tuple(let items):
            if let place = items.names.firstIndex(of: name) { return items.values[place] }
        case .macro(let macro):
            if name == "name" { return .string(macro.definition.name) }
        default: break
        }
        if name.hasPrefix("__") || Self.refusedMethods(of: value).contains(name) {
            return .undefined("\"\(name)\" of a value of type \(value.typeName) may not be used in a template.")
        }
        return Self.methods(of: value)[name] != nil ? .method(try Jinja.BoundMethod(value, name)) : nil
    }

    private func loopAttribute(_ name: String, of loop: Jinja.LoopState) throws -> Value? {
        let count = loop.items.values.count
        switch name {
        case "index": return .integer(loop.index + 1)
        case "index0": return .integer(loop.index)
        case "revindex": return .integer(count - loop.index)
        case "revindex0": return .integer(count - loop.index - 1)
        case "first": return .boolean(loop.index == 0)
        case "last": return .boolean(loop.index == count - 1)
        case "length": return .integer(count)
        case "depth": return .integer(1)
        case "depth0": return .integer(0)
        case "previtem":
            return loop.index > 0 ? loop.items.values[loop.index - 1] : .undefined("there is no previous item.")
        case "nextitem":
            return loop.index + 1 < count ? loop.items.values[loop.index + 1] : .undefined("there is no next item.")
        default: return nil
        }
    }

    /// `nil` where the index is outside, or the value has no places.
    private func element(_ index: Int, of value: Value) throws -> Value? {
        func place(in count: Int) -> Int? {
            let place = index < 0 ? index.addingReportingOverflow(count).partialValue : index
            return place >= 0 && place < count ? place : nil
        }
        switch value {
        case .list(let items), .tuple(let items): return place(in: items.values.count).map { items.values[$0] }
        case .range(let range): return place(in: range.count).map { range[$0] }
        case .string(let text):
            try budget.spend(text.utf8.count / 64 + 1)
            let scalars = text.unicodeScalars
            guard let place = place(in: scalars.count) else { return nil }
            return .string(String(scalars[scalars.index(scalars.startIndex, offsetBy: place)]))
        default: return nil
        }
    }

    private func slice(_ base: Value, _ slice: Jinja.Slice) throws -> Value {
        func number(_ expression: Expression?) throws -> Int? {
            guard let expression else { return nil }
            let value = try evaluate(expression)
            if case .none = value { return nil }
            guard let number = value.integer else {
                throw JinjaError("a slice needs whole numbers, not a value of type \(value.typeName).")
            }
            return number
        }
        let bounds = (try number(slice.start), try number(slice.stop), try number(slice.step))
        switch base {
        case .string(let text):
            try budget.allocate(text.utf8.count, each: 4)
            let scalars = Array(text.unicodeScalars)
            var result = String.UnicodeScalarView()
            for place in try places(bounds, count: scalars.count) { result.append(scalars[place]) }
            return .string(String(result))
        case .list(let items), .tuple(let items):
            try budget.allocate(items.values.count, each: 32)
            let values = try places(bounds, count: items.values.count).map { items.values[$0] }
            if case .list = base { return .list(try Jinja.Items(values)) }
            return .tuple(try Jinja.Items(values))
        case .range(let range):
            return .list(try Jinja.Items(places(bounds, count: range.count).map { range[$0] }))
        case .undefined(let reason): throw JinjaError(reason)
        default: throw JinjaError("a value of type \(base.typeName) cannot be sliced.")
        }
    }

    /// The places that Python's slice takes.
    private func places(_ bounds: (start: Int?, stop: Int?, step: Int?), count: Int) throws -> StrideTo<Int> {
        let step = bounds.step ?? 1
        guard step != 0 else { throw JinjaError("the step of a slice is zero.") }
        let (lowest, highest) = step > 0 ? (0, count) : (-1, count - 1)
        func clamped(_ bound: Int?, _ otherwise: Int) -> Int {
            guard let bound else { return otherwise }
            return max(lowest, min(highest, bound < 0 ? bound.addingReportingOverflow(count).partialValue : bound))
        }
        let start = clamped(bounds.start, step > 0 ? 0 : count - 1)
        let stop = clamped(bounds.stop, step > 0 ? count : -1)
        // A step beyond the count takes the first place only; as itself it could overflow.
        return stride(from: start, to: stop, by: max(-count - 1, min(count + 1, step)))
    }
}
