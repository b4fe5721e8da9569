internal import Foundation

/// The names that every template sees.
extension Jinja.Renderer {
    typealias BoundArguments = Jinja.BoundArguments

    func call(_ function: Jinja.Function, _ arguments: CallArguments) throws -> Value {
        switch function {
        case .range: return try range(arguments)
        case .dict: return .dictionary(try dictionary(from: arguments))
        case .namespace:
            let namespace = try makeNamespace()
            let attributes = try dictionary(from: arguments)
            for (key, value) in zip(attributes.keys, attributes.values) {
                guard let name = key.string else {
                    throw JinjaError("the names of a namespace's attributes must be strings.")
                }
                try set(name, of: namespace, to: value)
            }
            return .namespace(namespace)
        case .cycler:
            guard !arguments.positional.isEmpty, arguments.named.isEmpty else {
                throw JinjaError("cycler() needs items without names.")
            }
            try budget.allocate(arguments.positional.count, each: 32)
            return .cycler(Jinja.Cycler(try Jinja.Items(arguments.positional)))
        case .joiner: return try Jinja.joiner(self, .none, arguments, name: function.rawValue)
        case .raise: return try Jinja.raise(self, .none, arguments, name: function.rawValue)
        case .strftime: return try Jinja.strftime(self, .none, arguments, name: function.rawValue)
        }
    }

    private func range(_ arguments: CallArguments) throws -> Value {
        let numbers = try arguments.positional.map { value in
            guard let number = value.integer else {
                throw JinjaError("range() needs whole numbers, not a value of type \(value.typeName).")
            }
            return number
        }
        guard (1...3).contains(numbers.count), arguments.named.isEmpty else {
            throw JinjaError("range() takes one to three numbers.")
        }
        let start = numbers.count == 1 ? 0 : numbers[0]
        let stop = numbers.count == 1 ? numbers[0] : numbers[1]
        return .range(try Jinja.Range(start, stop, numbers.count == 3 ? numbers[2] : 1))
    }

    /// `dict(mapping or pairs, name=value, …)`
    private func dictionary(from arguments: CallArguments) throws -> Jinja.Dictionary {
        guard arguments.positional.count <= 1 else {
            throw JinjaError("dict() takes at most one argument without a name.")
        }
        var result = Jinja.Dictionary()
        if case .dictionary(let dictionary)? = arguments.positional.first {
            try budget.allocate(dictionary.count, each: 128)
            result = dictionary
        } else if let pairs = arguments.positional.first {
            if case .undefined(let reason) = pairs { throw JinjaError(reason) }
            for pair in try elements(of: pairs) {
                let pair = try elements(of: pair)
                guard pair.count == 2 else { throw JinjaError("dict() needs pairs of a key and a value.") }
                try budget.allocate(128)
                try result.set(key(pair[0]), pair[0], to: pair[1])
            }
        }
        try budget.allocate(arguments.named.count, each: 128)
        for (name, value) in arguments.named { try result.set(name, to: value) }
        return result
    }
}

extension Jinja {
    fileprivate static let joiner = Callable<Value>("sep?") { _, _, arguments in
        .joiner(try Joiner(arguments[0] ?? .string(", ")))
    }

    fileprivate static let raise = Callable<Value>("message") { renderer, _, arguments in
        throw JinjaError(.raised, try renderer.text(arguments[0] ?? .none))
    }

    fileprivate static let strftime = Callable<Value>("format") { renderer, _, arguments in
        let format = try arguments.requiredString(0)
        try renderer.budget.allocate(format.utf8.count)
        guard !format.isEmpty else { return .string("") }
        guard !format.utf8.contains(0) else { throw JinjaError("the format of a date contains a zero byte.") }
        var seconds = time_t(renderer.now.timeIntervalSince1970)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = Foundation.strftime(&buffer, buffer.count, format, &parts)
        guard count > 0 else {
            throw JinjaError("the date's format gives no text, or more than \(buffer.count) bytes.")
        }
        return .string(String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
}
