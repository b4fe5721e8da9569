extension Jinja.Renderer {
    typealias Statement = Jinja.Statement
    typealias Scope = Jinja.Scope

    /// How a run of statements ended.
    enum Flow { case normal, breaking, continuing }

    func run(_ statements: [Statement]) throws -> Flow {
        for statement in statements {
            let flow = try descend(line: statement.line) { try run(statement) }
            if flow != .normal { return flow }
        }
        return .normal
    }

    // As for expressions: a frame of this function is under every one of nested statements, and must stay small.
    private func run(_ statement: Statement) throws -> Flow {
        switch statement.kind {
        case .text(let text): try write(text)
        case .output(let expression): try write(text(evaluate(expression)))
        case .branches(let branches, let otherwise): return try run(branches, otherwise)
        case .loop(let loop): return try run(loop)
        case .set(let target, let expression): try assign(evaluate(expression), to: target)
        case .setBlock(let target, let filter, let body): try assign(filtered(body, by: filter), to: target)
        case .with(let values, let body): return try run(body, with: values)
        case .macro(let definition): scope.variables[definition.name] = .macro(try makeMacro(definition))
        case .callBlock(let callee, let arguments, let definition):
            try callBlock(callee, arguments, definition, statement.line)
        case .filterBlock(let filter, let body): try write(text(filtered(body, by: filter)))
        case .generation(let body): try generation(body)
        case .breakLoop: return .breaking
        case .continueLoop: return .continuing
        }
        return .normal
    }

    private func run(_ branches: [(test: Jinja.Expression, body: [Statement])], _ otherwise: [Statement]) throws -> Flow
    {
        for branch in branches where try isTrue(evaluate(branch.test)) { return try run(branch.body) }
        return try run(otherwise)
    }

    private func run(_ body: [Statement], with values: [(Jinja.Target, Jinja.Expression)]) throws -> Flow {
        let inner = Scope(parent: scope)
        for (target, expression) in values {
            let value = try evaluate(expression)
            try inScope(inner) { try assign(value, to: target) }
        }
        return try inScope(inner) { try run(body) }
    }

    private func callBlock(
        _ callee: Jinja.Expression, _ arguments: Jinja.Arguments, _ definition: Jinja.MacroDefinition, _ line: Int
    ) throws {
        var values = try callArguments(arguments)
        values.named.append((name: "caller", value: .macro(try makeMacro(definition))))
        try write(text(call(evaluate(callee), values, line: line)))
    }

    /// What a block writes, through its filters.
    private func filtered(_ body: [Statement], by filter: Jinja.Expression) throws -> Value {
        let captured = try capture { _ = try inScope(Scope(parent: scope)) { try run(body) } }
        let outer = capturedText
        capturedText = captured
        defer { capturedText = outer }
        return try evaluate(filter)
    }

    private func assign(_ value: Value, to target: Jinja.Target) throws {
        switch target {
        case .name(let name): scope.variables[name] = value
        case .namespaceAttribute(let name, let attribute):
            guard case .namespace(let namespace) = lookUp(name) else {
                throw JinjaError("\"\(name)\" is not a namespace: only a namespace's attributes can be set.")
            }
            try set(attribute, of: namespace, to: value)
        case .tuple(let targets):
            let values = try elements(of: value)
            guard values.count == targets.count else {
                throw JinjaError("\(values.count) values cannot be unpacked into \(targets.count) names.")
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target) }
        }
    }

    func set(_ attribute: String, of namespace: Jinja.Namespace, to value: Value) throws {
        guard !attribute.hasPrefix("_") else {
            throw JinjaError("a namespace may not have the attribute \"\(attribute)\": it starts with \"_\".")
        }
        try budget.allocate(64)
        try namespace.attributes.set(attribute, to: value)
    }

    // MARK: Loops

    private func run(_ loop: Jinja.Loop) throws -> Flow {
        let outer = scope
        var values = try elements(of: evaluate(loop.iterable))
        try budget.spend(values.count / 8)
        if let condition = loop.condition {
            values = try values.filter { value in
                try inScope(Scope(parent: outer)) {
                    try assign(value, to: loop.target)
                    return try isTrue(evaluate(condition))
                }
            }
        }
        let state = Jinja.LoopState(try Jinja.Items(values))
        // As in jinja2, `else` also runs where `break` or `continue` kept every round from reaching its end.
        var hasRunThrough = false
        for (index, value) in values.enumerated() {
            try budget.spend()
            state.index = index
            let inner = Scope(parent: outer)
            inner.variables["loop"] = .loop(state)
            let flow = try inScope(inner) {
                try assign(value, to: loop.target)
                return try run(loop.body)
            }
            if flow == .normal { hasRunThrough = true }
            if flow == .breaking { break }
        }
        return hasRunThrough ? .normal : try inScope(Scope(parent: outer)) { try run(loop.otherwise) }
    }

    // MARK: Macros

    func call(_ macro: Jinja.Macro, _ arguments: Jinja.CallArguments) throws -> Value {
        let inner = Scope(parent: macro.scope)
        return try inScope(inner) {
            try bind(arguments, of: macro.definition, in: inner)
            return .string(try capture { _ = try run(macro.definition.body) })
        }
    }

    private func bind(
        _ arguments: Jinja.CallArguments, of definition: Jinja.MacroDefinition, in inner: Scope
    ) throws {
        var named = arguments.named
        for (index, parameter) in definition.parameters.enumerated() {
            inner.variables[parameter.name] = try value(
                of: parameter, index < arguments.positional.count ? arguments.positional[index] : nil, &named)
        }
        let rest = arguments.positional.dropFirst(definition.parameters.count)
        guard rest.isEmpty || definition.takesList else {
            throw JinjaError("the macro \"\(definition.name)\" takes at most \(definition.parameters.count) arguments.")
        }
        if definition.takesList { inner.variables["varargs"] = .tuple(try Jinja.Items(Array(rest))) }
        if let place = named.firstIndex(where: { $0.name == "caller" }), definition.takesCaller {
            inner.variables["caller"] = named.remove(at: place).value
        } else if definition.takesCaller, !definition.parameters.contains(where: { $0.name == "caller" }) {
            inner.variables["caller"] = .undefined("there is no \"caller\": the macro was not called by a block.")
        }
        try bindRest(named, of: definition, in: inner)
    }

    private func value(
        of parameter: Jinja.Parameter, _ positional: Value?, _ named: inout [(name: String, value: Value)]
    ) throws -> Value {
        let place = named.firstIndex { $0.name == parameter.name }
        if let positional {
            guard place == nil else {
                throw JinjaError("the argument \"\(parameter.name)\" is given twice.")
            }
            return positional
        }
        if let place { return named.remove(at: place).value }
        if let expression = parameter.defaultValue { return try evaluate(expression) }
        return .undefined("the parameter \"\(parameter.name)\" was not provided.")
    }

    private func bindRest(
        _ named: [(name: String, value: Value)], of definition: Jinja.MacroDefinition, in scope: Scope
    ) throws {
        if definition.takesDictionary {
            var rest = Jinja.Dictionary()
            for argument in named { try rest.set(argument.name, to: argument.value) }
            scope.variables["kwargs"] = .dictionary(rest)
        } else if let unknown = named.first {
            throw JinjaError("the macro \"\(definition.name)\" has no parameter \"\(unknown.name)\".")
        }
    }
}
