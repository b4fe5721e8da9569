extension Jinja {
    /// A filter, test, method or function: the names of its parameters and what it does with its arguments.
    struct Callable<Result>: Sendable {
        typealias Body = @Sendable (Renderer, Value, BoundArguments) throws -> Result

        /// Separated by spaces, optional ones marked `?`; `nil` where the body takes the arguments as they come.
        private let parameters: [(name: String, isOptional: Bool)]?
        private let body: Body

        init(_ parameters: String?, _ body: @escaping Body) {
            self.parameters = parameters?.split(separator: " ").map {
                (name: String($0.filter { $0 != "?" }), isOptional: $0.hasSuffix("?"))
            }
            self.body = body
        }

        /// - Parameters:
        ///   - receiver: what is filtered or tested, or whose method is called.
        ///   - name: of this callable, for messages.
        func callAsFunction(
            _ renderer: Renderer, _ receiver: Value, _ arguments: CallArguments, name: String
        ) throws -> Result {
            try body(renderer, receiver, bound(arguments, name))
        }

        private func bound(_ arguments: CallArguments, _ callee: String) throws -> BoundArguments {
            guard let parameters else { return BoundArguments(callee: callee, all: arguments) }
            guard arguments.positional.count <= parameters.count else {
                throw JinjaError("\"\(callee)\" takes at most \(parameters.count) arguments.")
            }
            var values = arguments.positional.map(Optional.some)
            values += Array(repeating: nil, count: parameters.count - values.count)
            for (name, value) in arguments.named {
                guard let place = parameters.firstIndex(where: { $0.name == name }) else {
                    throw JinjaError("\"\(callee)\" has no argument \"\(name)\".")
                }
                guard values[place] == nil else { throw JinjaError("\"\(callee)\" is given \"\(name)\" twice.") }
                values[place] = value
            }
            for (parameter, value) in zip(parameters, values) where value == nil && !parameter.isOptional {
                throw JinjaError("\"\(callee)\" needs the argument \"\(parameter.name)\".")
            }
            return BoundArguments(callee: callee, all: arguments, values: values, names: parameters.map(\.name))
        }
    }

    /// Arguments in the order of the parameters.
    struct BoundArguments {
        let callee: String
        let all: CallArguments
        var values: [Value?] = []
        var names: [String] = []

        subscript(index: Int) -> Value? { values[index] }

        /// An argument that was given, and not as `none`.
        func present(_ index: Int) -> Value? {
            guard let value = values[index] else { return nil }
            if case .none = value { return nil }
            return value
        }

        func string(_ index: Int) throws -> String? {
            guard let value = present(index) else { return nil }
            guard let text = value.string else { throw mismatch(index, "a string", value) }
            return text
        }

        func requiredString(_ index: Int) throws -> String {
            guard let text = try string(index) else { throw mismatch(index, "a string", .none) }
            return text
        }

        func integer(_ index: Int) throws -> Int? {
            guard let value = present(index) else { return nil }
            guard let number = value.integer else { throw mismatch(index, "a whole number", value) }
            return number
        }

        func requiredInteger(_ index: Int) throws -> Int {
            guard let number = try integer(index) else { throw mismatch(index, "a whole number", .none) }
            return number
        }

        /// A whole number that may be left out, but not be `none`.
        func given(_ index: Int) throws -> Int? { try values[index] == nil ? nil : requiredInteger(index) }

        private func mismatch(_ index: Int, _ expected: String, _ value: Value) -> JinjaError {
            if case .undefined(let reason) = value { return JinjaError(reason) }
            return JinjaError(
                "\"\(names[index])\" of \"\(callee)\" must be \(expected), not of type \(value.typeName).")
        }
    }
}
