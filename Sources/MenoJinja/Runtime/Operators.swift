internal import Foundation

/// Python's operators.
extension Jinja.Renderer {
    func isTrue(_ value: Value) -> Bool {
        switch value {
        case .undefined, .none: false
        case .boolean(let value): value
        case .integer(let value): value != 0
        case .double(let value): value != 0
        case .string(let value): !value.utf8.isEmpty
        case .list(let items), .tuple(let items): !items.values.isEmpty
        case .dictionary(let dictionary): dictionary.count > 0
        case .view(let view): !view.items.values.isEmpty
        case .range(let range): range.count > 0
        case .loop(let loop): !loop.items.values.isEmpty
        default: true
        }
    }

    /// The elements of what can be looped over, all of an iterator's rest included.
    func elements(of value: Value) throws -> [Value] {
        switch value {
        case .undefined: return []
        case .list(let items), .tuple(let items): return items.values
        case .view(let view): return view.items.values
        case .dictionary(let dictionary): return dictionary.keys
        case .range(let range):
            try budget.allocate(range.count, each: 32)
            return (0..<range.count).map { range[$0] }
        case .string(let text):
            try budget.allocate(text.utf8.count, each: 32)
            return text.unicodeScalars.map { .string(String($0)) }
        case .iterator(let iterator):
            return iterator.takeRest()
        default: throw JinjaError("a value of type \(value.typeName) cannot be looped over.")
        }
    }

    /// A dictionary's key. It is written out in full, and paid for, so that its hash costs no more.
    func key(_ value: Value) throws -> Jinja.Key {
        try budget.spend()
        switch value {
        case .undefined: return .undefined
        case .none: return .none
        case .boolean(let value): return .integer(value ? 1 : 0)
        case .integer(let value): return .integer(value)
        case .double(let value): return Int(exactly: value).map { .integer($0) } ?? .double(value)
        case .string(let value): return .string(ExactString(value))
        case .tuple(let items): return .tuple(try items.values.map { try key($0) })
        default: throw JinjaError("a value of type \(value.typeName) cannot be a key.")
        }
    }

    // MARK: Comparison

    func isEqual(_ a: Value, _ b: Value) throws -> Bool {
        try budget.spend()
        if let left = a.double, let right = b.double {
            if let left = a.integer, let right = b.integer { return left == right }
            return left == right
        }
        switch (a, b) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let a), .string(let b)):
            try budget.spend(min(a.utf8.count, b.utf8.count) / 64)
            return ExactString(a) == ExactString(b)
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)): return try areEqual(a.values, b.values)
        case (.range(let a), .range(let b)):
            return a.count == b.count && (a.count == 0 || a.start == b.start) && (a.count < 2 || a.step == b.step)
        case (.dictionary(let a), .dictionary(let b)):
            guard a.count == b.count else { return false }
            for (key, value) in zip(a.keys, a.values) {
                guard let other = b[try self.key(key)], try isEqual(value, other) else { return false }
            }
            return true
        case (.namespace(let a), .namespace(let b)): return a === b
        case (.iterator(let a), .iterator(let b)): return a === b
        case (.macro(let a), .macro(let b)): return a === b
        case (.loop(let a), .loop(let b)): return a === b
        case (.function(let a), .function(let b)): return a == b
        default: return false
        }
    }

    private func areEqual(_ a: [Value], _ b: [Value]) throws -> Bool {
        guard a.count == b.count else { return false }
        for (a, b) in zip(a, b) where try !isEqual(a, b) { return false }
        return true
    }

    /// Whether `a` comes before `b`.
    func isLess(_ a: Value, _ b: Value, symbol: String = "<") throws -> Bool {
        try budget.spend()
        if let left = a.integer, let right = b.integer { return left < right }
        if let left = a.double, let right = b.double { return left < right }
        switch (a, b) {
        case (.string(let a), .string(let b)):
            try budget.spend(min(a.utf8.count, b.utf8.count) / 64)
            // The order of UTF-8 is the order of code points.
            return a.utf8.lexicographicallyPrecedes(b.utf8)
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            for (a, b) in zip(a.values, b.values) where try !isEqual(a, b) { return try isLess(a, b, symbol: symbol) }
            return a.values.count < b.values.count
        case (.undefined(let reason), _), (_, .undefined(let reason)): throw JinjaError(reason)
        default:
            throw JinjaError("values of types \(a.typeName) and \(b.typeName) cannot be compared by \"\(symbol)\".")
        }
    }

    func holds(_ comparison: Jinja.Comparison, _ a: Value, _ b: Value) throws -> Bool {
        let symbol = comparison.rawValue
        switch comparison {
        case .equal: return try isEqual(a, b)
        case .notEqual: return try !isEqual(a, b)
        case .less: return try isLess(a, b, symbol: symbol)
        case .greater: return try isLess(b, a, symbol: symbol)
        case .lessOrEqual: return try isLess(a, b, symbol: symbol) || isEqual(a, b)
        case .greaterOrEqual: return try isLess(b, a, symbol: symbol) || isEqual(a, b)
        case .isIn: return try contains(b, a)
        case .isNotIn: return try !contains(b, a)
        }
    }

    func contains(_ container: Value, _ value: Value) throws -> Bool {
        switch container {
        case .string(let text):
            if case .undefined(let reason) = value { throw JinjaError(reason) }
            guard case .string(let part) = value else {
                throw JinjaError("\"in\" a string needs a string, not a value of type \(value.typeName).")
            }
            return try find(part, in: text) != nil
        case .dictionary(let dictionary): return dictionary[try key(value)] != nil
        case .range(let range):
            guard let number = value.integer ?? value.double.flatMap(Int.init(exactly:)) else { return false }
            let isInside =
                range.step > 0
                ? range.start <= number && number < range.stop : range.stop < number && number <= range.start
            return isInside && (number - range.start) % range.step == 0
        default:
            for element in try elements(of: container) where try isEqual(element, value) { return true }
            return false
        }
    }

    // MARK: Arithmetic

    private func overflow() -> JinjaError { JinjaError("a whole number does not fit into 64 bits.") }

    private func mismatch(_ symbol: String, _ a: Value, _ b: Value) -> JinjaError {
        for case .undefined(let reason) in [a, b] { return JinjaError(reason) }
        return JinjaError("\"\(symbol)\" cannot be applied to values of types \(a.typeName) and \(b.typeName).")
    }

    func negative(_ value: Value) throws -> Value {
        if let number = value.integer {
            let (result, overflows) = (0).subtractingReportingOverflow(number)
            if overflows { throw overflow() }
            return .integer(result)
        }
        if let number = value.double { return .double(-number) }
        if case .undefined(let reason) = value { throw JinjaError(reason) }
        throw JinjaError("a value of type \(value.typeName) cannot be negated.")
    }

    func positive(_ value: Value) throws -> Value { try negative(negative(value)) }

    func arithmetic(_ symbol: Jinja.Operator, _ a: Value, _ b: Value) throws -> Value {
        if let left = a.integer, let right = b.integer { return try integers(symbol, left, right) }
        if let left = a.double, let right = b.double { return try doubles(symbol, left, right) }
        switch (symbol, a, b) {
        case (.add, .string(let a), .string(let b)):
            try budget.allocate(a.utf8.count + b.utf8.count)
            return .string(a + b)
        case (.add, .list(let a), .list(let b)):
            try budget.allocate(a.values.count + b.values.count, each: 32)
            return .list(try Jinja.Items(a.values + b.values))
        case (.add, .tuple(let a), .tuple(let b)):
            try budget.allocate(a.values.count + b.values.count, each: 32)
            return .tuple(try Jinja.Items(a.values + b.values))
        case (.multiply, _, _):
            if let count = b.integer, let result = try repeated(a, count) { return result }
            if let count = a.integer, let result = try repeated(b, count) { return result }
        case (.modulo, .string(let format), _): return .string(try formatted(format, percent: b))
        default: break
        }
        throw mismatch(symbol.rawValue, a, b)
    }

    private func repeated(_ value: Value, _ count: Int) throws -> Value? {
        let count = max(0, count)
        switch value {
        case .string(let text):
            try budget.allocate(text.utf8.count, each: count)
            return .string(text.isEmpty ? "" : String(repeating: text, count: count))
        case .list(let items):
            try budget.allocate(items.values.count * 32, each: count)
            return .list(
                try Jinja.Items(items.values.isEmpty ? [] : Array(repeatElement(items.values, count: count).joined())))
        case .tuple(let items):
            try budget.allocate(items.values.count * 32, each: count)
            return .tuple(
                try Jinja.Items(items.values.isEmpty ? [] : Array(repeatElement(items.values, count: count).joined())))
        default: return nil
        }
    }

    private func integers(_ symbol: Jinja.Operator, _ a: Int, _ b: Int) throws -> Value {
        let result: (partialValue: Int, overflow: Bool)
        switch symbol {
        case .add: result = a.addingReportingOverflow(b)
        case .subtract: result = a.subtractingReportingOverflow(b)
        case .multiply: result = a.multipliedReportingOverflow(by: b)
        case .divide: return try doubles(.divide, Double(a), Double(b))
        case .floorDivide, .modulo:
            guard b != 0 else { throw JinjaError("division by zero.") }
            // Python rounds down, and a remainder has the divisor's sign.
            let (quotient, overflows) = a.dividedReportingOverflow(by: b)
            if overflows { throw overflow() }
            let remainder = a - quotient * b
            let isBelow = remainder != 0 && (remainder < 0) != (b < 0)
            if symbol == .modulo { return .integer(isBelow ? remainder + b : remainder) }
            return .integer(isBelow ? quotient - 1 : quotient)
        case .power:
            if b < 0 { return try doubles(.power, Double(a), Double(b)) }
            var power = 1
            if a == 0 || a == 1 { return .integer(b == 0 ? 1 : a) }
            if a == -1 { return .integer(b % 2 == 0 ? 1 : -1) }
            for _ in 0..<min(b, 64) {
                let (product, overflows) = power.multipliedReportingOverflow(by: a)
                if overflows { throw overflow() }
                power = product
            }
            return .integer(power)
        }
        if result.overflow { throw overflow() }
        return .integer(result.partialValue)
    }

    private func doubles(_ symbol: Jinja.Operator, _ a: Double, _ b: Double) throws -> Value {
        switch symbol {
        case .add: return .double(a + b)
        case .subtract: return .double(a - b)
        case .multiply: return .double(a * b)
        case .divide, .floorDivide, .modulo:
            guard b != 0 else { throw JinjaError("division by zero.") }
            if symbol == .divide { return .double(a / b) }
            var remainder = fmod(a, b)
            if remainder != 0, (remainder < 0) != (b < 0) { remainder += b }
            if symbol == .modulo { return .double(remainder == 0 ? Double(signOf: b, magnitudeOf: 0) : remainder) }
            return .double(((a - remainder) / b).rounded())
        case .power:
            guard a != 0 || b >= 0 else { throw JinjaError("zero cannot be raised to a negative power.") }
            let result = pow(a, b)
            if result.isNaN, !a.isNaN, !b.isNaN { throw JinjaError("the power is not a real number.") }
            if result.isInfinite, a.isFinite, b.isFinite { throw JinjaError("the power is too large.") }
            return .double(result)
        }
    }
}
