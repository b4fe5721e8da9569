extension Jinja.Parser {
    typealias Expression = Jinja.Expression
    typealias Arguments = Jinja.Arguments

    /// Puts an expression over others, and refuses what nests too deep to be evaluated by recursion.
    private func node(_ kind: Expression.Kind, _ line: Int, over parts: [Expression]) throws -> Expression {
        let depth = 1 + (parts.lazy.map(\.depth).max() ?? 0)
        guard depth <= Jinja.Depth.expression else {
            throw failure("an expression is nested more than \(Jinja.Depth.expression) deep.", line: line)
        }
        return Expression(line: line, depth: depth, kind: kind)
    }

    private mutating func nested<Result>(_ read: (inout Self) throws -> Result) throws -> Result {
        expressionDepth += 1
        defer { expressionDepth -= 1 }
        guard expressionDepth <= Jinja.Depth.nesting else {
            throw failure("an expression is nested more than \(Jinja.Depth.nesting) deep.")
        }
        return try read(&self)
    }

    // MARK: Operators, from loose to tight

    mutating func expression(withConditional: Bool = true) throws -> Expression {
        try nested { parser in
            let line = parser.line
            var result = try parser.disjunction()
            while withConditional, parser.skip(name: "if") {
                let test = try parser.disjunction()
                let otherwise = parser.skip(name: "else") ? try parser.expression() : nil
                result = try parser.node(
                    .conditional(test: test, then: result, otherwise: otherwise), line,
                    over: [result, test] + (otherwise.map { [$0] } ?? []))
            }
            return result
        }
    }

    private mutating func disjunction() throws -> Expression {
        var left = try conjunction()
        while skip(name: "or") {
            let right = try conjunction()
            left = try node(.or(left, right), left.line, over: [left, right])
        }
        return left
    }

    private mutating func conjunction() throws -> Expression {
        var left = try negation()
        while skip(name: "and") {
            let right = try negation()
            left = try node(.and(left, right), left.line, over: [left, right])
        }
        return left
    }

    private mutating func negation() throws -> Expression {
        let line = line
        guard skip(name: "not") else { return try comparison() }
        let operand = try nested { try $0.negation() }
        return try node(.not(operand), line, over: [operand])
    }

    private mutating func comparison() throws -> Expression {
        let first = try arithmetic(0)
        var operands: [(Jinja.Comparison, Expression)] = []
        while true {
            if token.kind == .symbol, let comparison = Jinja.Comparison(rawValue: token.text) {
                advance()
                operands.append((comparison, try arithmetic(0)))
            } else if skip(name: "in") {
                operands.append((.isIn, try arithmetic(0)))
            } else if token.isName("not"), following.isName("in") {
                advance()
                advance()
                operands.append((.isNotIn, try arithmetic(0)))
            } else {
                break
            }
        }
        guard !operands.isEmpty else { return first }
        return try node(.comparison(first, operands), first.line, over: [first] + operands.map(\.1))
    }

    private static let operators = [["+", "-"], ["~"], ["*", "/", "//", "%"], ["**"]]

    /// `+ -` bind less than `~`, that less than `* / // %`, and those less than `**`. All are left-associative, even
    /// `**`.
    private mutating func arithmetic(_ level: Int) throws -> Expression {
        let operators = Self.operators
        guard level < operators.count else { return try unary() }
        var left = try arithmetic(level + 1)
        if level == 1 {
            var parts = [left]
            while skip(symbol: "~") { parts.append(try arithmetic(level + 1)) }
            return parts.count == 1 ? left : try node(.concatenation(parts), left.line, over: parts)
        }
        while token.kind == .symbol, operators[level].contains(token.text),
            let symbol = Jinja.Operator(rawValue: token.text)
        {
            let line = line
            advance()
            let right = try arithmetic(level + 1)
            left = try node(.arithmetic(symbol, left, right), line, over: [left, right])
        }
        return left
    }

    private mutating func unary(withFilter: Bool = true) throws -> Expression {
        let line = line
        var result: Expression
        if token.isSymbol("-") || token.isSymbol("+") {
            let isNegative = token.isSymbol("-")
            advance()
            let operand = try nested { try $0.unary(withFilter: false) }
            result = try node(isNegative ? .negative(operand) : .positive(operand), line, over: [operand])
        } else {
            result = try primary()
        }
        result = try postfix(of: result)
        return withFilter ? try filtersAndTests(of: result) : result
    }

    // MARK: Literals and names

    private mutating func primary() throws -> Expression {
        let token = token
        switch token.kind {
        case .name: return try name(token)
        case .string:
            var text = ""
            while self.token.kind == .string {
                text += self.token.text
                advance()
            }
            return try node(.literal(.string(text)), token.line, over: [])
        case .integer:
            advance()
            guard let value = integer(token.text) else {
                throw failure("the number \(token.text) is too large.", line: token.line)
            }
            return try node(.literal(.integer(value)), token.line, over: [])
        case .float:
            advance()
            return try node(.literal(.double(Double(token.text) ?? .nan)), token.line, over: [])
        case .symbol where token.text == "(":
            advance()
            let inner = try tuple(isParenthesized: true)
            try expect(symbol: ")")
            return inner
        case .symbol where token.text == "[":
            let items = try list(closedBy: "]") { try $0.expression() }
            return try node(.list(items), token.line, over: items)
        case .symbol where token.text == "{":
            let pairs = try list(closedBy: "}") { parser in
                let key = try parser.expression()
                try parser.expect(symbol: ":")
                return (key: key, value: try parser.expression())
            }
            return try node(.dictionary(pairs), token.line, over: pairs.flatMap { [$0.key, $0.value] })
        default: throw unexpected(expected: "an expression")
        }
    }

    private mutating func name(_ token: Jinja.Token) throws -> Expression {
        advance()
        switch token.text {
        case "true", "True": return try node(.literal(.boolean(true)), token.line, over: [])
        case "false", "False": return try node(.literal(.boolean(false)), token.line, over: [])
        case "none", "None": return try node(.literal(.none), token.line, over: [])
        default:
            if !spokenNames.isEmpty { spokenNames[spokenNames.count - 1].insert(token.text) }
            return try node(.name(token.text), token.line, over: [])
        }
    }

    private func integer(_ text: String) -> Int? {
        let bases: [String: Int] = ["0b": 2, "0o": 8, "0x": 16]
        if let base = bases[text.prefix(2).lowercased()] { return Int(text.dropFirst(2), radix: base) }
        return Int(text)
    }

    /// The items between an opening bracket and its end; a comma may follow the last.
    private mutating func list<Item>(
        closedBy end: String, _ item: (inout Self) throws -> Item
    ) throws -> [Item] {
        advance()
        var items: [Item] = []
        while !token.isSymbol(end) {
            if !items.isEmpty { try expect(symbol: ",") }
            if token.isSymbol(end) { break }
            items.append(try item(&self))
        }
        try expect(symbol: end)
        return items
    }

    /// One expression, or several with commas between them: a tuple.
    mutating func tuple(
        withConditional: Bool = true, endingWith end: String? = nil, isParenthesized: Bool = false
    ) throws -> Expression {
        let line = line
        var items: [Expression] = []
        var isTuple = false
        while true {
            if !items.isEmpty { try expect(symbol: ",") }
            if token.kind == .variableEnd || token.kind == .blockEnd || token.isSymbol(")") { break }
            if let end, token.isName(end) { break }
            items.append(try expression(withConditional: withConditional))
            guard token.isSymbol(",") else { break }
            isTuple = true
        }
        if !isTuple {
            if let only = items.first { return only }
            guard isParenthesized else { throw unexpected(expected: "an expression") }
        }
        return try node(.tuple(items), line, over: items)
    }

    // MARK: What follows an expression

    private mutating func postfix(of expression: Expression) throws -> Expression {
        var result = expression
        while token.kind == .symbol {
            switch token.text {
            case ".": result = try attribute(of: result)
            case "[": result = try item(of: result)
            case "(": result = try call(of: result)
            default: return result
            }
        }
        return result
    }

    private mutating func filtersAndTests(of expression: Expression) throws -> Expression {
        var result = expression
        while true {
            if token.isSymbol("|") {
                result = try filters(of: result)
            } else if token.isName("is") {
                result = try test(of: result)
            } else if token.isSymbol("(") {
                result = try call(of: result)
            } else {
                return result
            }
        }
    }

    private mutating func attribute(of base: Expression) throws -> Expression {
        let line = line
        advance()
        if token.kind == .integer, let index = integer(token.text) {
            advance()
            let index = try node(.literal(.integer(index)), line, over: [])
            return try node(.item(base, index), line, over: [base, index])
        }
        return try node(.attribute(base, try expectName()), line, over: [base])
    }

    private mutating func item(of base: Expression) throws -> Expression {
        let line = line
        advance()
        if let slice = try slice() {
            try expect(symbol: "]")
            return try node(
                .slice(base, slice), line, over: [base] + [slice.start, slice.stop, slice.step].compactMap { $0 })
        }
        let index = try tuple(isParenthesized: false)
        if token.isSymbol(":") {
            let slice = try slice(from: index)
            try expect(symbol: "]")
            return try node(
                .slice(base, slice), line, over: [base] + [slice.start, slice.stop, slice.step].compactMap { $0 })
        }
        try expect(symbol: "]")
        return try node(.item(base, index), line, over: [base, index])
    }

    /// A slice without a start.
    private mutating func slice() throws -> Jinja.Slice? {
        token.isSymbol(":") ? try slice(from: nil) : nil
    }

    private mutating func slice(from start: Expression?) throws -> Jinja.Slice {
        try expect(symbol: ":")
        var slice = Jinja.Slice(start: start)
        if !token.isSymbol(":"), !token.isSymbol("]") { slice.stop = try expression() }
        if skip(symbol: ":"), !token.isSymbol("]") { slice.step = try expression() }
        return slice
    }

    private mutating func call(of callee: Expression) throws -> Expression {
        let line = line
        let arguments = try arguments()
        return try node(.call(callee, arguments), line, over: [callee] + arguments.all)
    }

    private mutating func arguments() throws -> Arguments {
        var arguments = Arguments()
        let line = line
        let misplaced = failure(
            "positional arguments must come before named arguments.", line: line)
        _ = try list(closedBy: ")") { parser in
            if parser.skip(symbol: "*") {
                guard arguments.list == nil, arguments.dictionary == nil else { throw misplaced }
                arguments.list = try parser.expression()
            } else if parser.skip(symbol: "**") {
                guard arguments.dictionary == nil else { throw misplaced }
                arguments.dictionary = try parser.expression()
            } else if parser.token.kind == .name, parser.following.isSymbol("=") {
                guard arguments.dictionary == nil else { throw misplaced }
                let name = try parser.expectName()
                parser.advance()
                arguments.named.append((name: name, value: try parser.expression()))
            } else {
                guard arguments.list == nil, arguments.dictionary == nil, arguments.named.isEmpty else {
                    throw misplaced
                }
                arguments.positional.append(try parser.expression())
            }
        }
        return arguments
    }

    /// `| name(…) | …`; with `first`, the first has no bar before it.
    mutating func filters(of expression: Expression, first: Bool = false) throws -> Expression {
        var result = expression
        var isFirst = first
        while isFirst || token.isSymbol("|") {
            if !isFirst { advance() }
            isFirst = false
            let line = line
            let name = try dottedName()
            let arguments = token.isSymbol("(") ? try arguments() : Arguments()
            result = try node(.filter(result, name, arguments), line, over: [result] + arguments.all)
        }
        return result
    }

    private mutating func dottedName() throws -> String {
        var name = try expectName()
        while skip(symbol: ".") { name += "." + (try expectName()) }
        return name
    }

    private mutating func test(of base: Expression) throws -> Expression {
        let line = line
        advance()
        let isNegated = skip(name: "not")
        let name = try dottedName()
        var arguments = Arguments()
        if token.isSymbol("(") {
            arguments = try self.arguments()
        } else if startsTestArgument {
            if token.isName("is") { throw failure("tests with \"is\" cannot follow each other directly.") }
            arguments.positional = [try nested { try $0.postfix(of: $0.primary()) }]
        }
        let test = try node(.test(base, name, arguments), line, over: [base] + arguments.all)
        return isNegated ? try node(.not(test), line, over: [test]) : test
    }

    /// Whether the argument of a test follows without parentheses: `x is divisibleby 3`.
    private var startsTestArgument: Bool {
        switch token.kind {
        case .name: !["else", "or", "and"].contains(token.text)
        case .string, .integer, .float: true
        case .symbol: token.text == "[" || token.text == "{"
        default: false
        }
    }
}
