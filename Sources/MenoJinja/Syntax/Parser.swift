extension Jinja {
    /// Reads statements by recursive descent, with jinja2's grammar. Expressions are in `Parser+Expressions.swift`.
    struct Parser {
        private var tokens: [Token]
        private var next = 0
        private var statementDepth = 0
        var expressionDepth = 0
        /// Whether `break` and `continue` have a loop to act on.
        private var isInLoop = false
        private var hasGenerationBlocks = false
        /// The names that each macro around this place speaks of.
        var spokenNames: [Set<String>] = []

        static func template(of source: String) throws -> Template {
            var parser = Parser(tokens: try Lexer.tokens(of: source))
            let body = try parser.statements(until: [], of: "template")
            return Template(body: body, hasGenerationBlocks: parser.hasGenerationBlocks)
        }

        private init(tokens: [Token]) { self.tokens = tokens }

        // MARK: Tokens

        var token: Token { tokens[next] }
        var following: Token { tokens[min(next + 1, tokens.count - 1)] }
        var line: Int { token.line }

        mutating func advance() { next = min(next + 1, tokens.count - 1) }

        mutating func skip(symbol: String) -> Bool {
            guard token.isSymbol(symbol) else { return false }
            advance()
            return true
        }

        mutating func skip(name: String) -> Bool {
            guard token.isName(name) else { return false }
            advance()
            return true
        }

        func failure(_ message: String, line: Int? = nil) -> JinjaError {
            JinjaError(.syntax, message, line: line ?? self.line)
        }

        func unexpected(expected: String) -> JinjaError {
            failure("found \(token.description), expected \(expected).")
        }

        mutating func expect(symbol: String) throws {
            guard skip(symbol: symbol) else { throw unexpected(expected: "\"\(symbol)\"") }
        }

        mutating func expect(name: String) throws {
            guard skip(name: name) else { throw unexpected(expected: "\"\(name)\"") }
        }

        mutating func expectName() throws -> String {
            guard token.kind == .name else { throw unexpected(expected: "a name") }
            defer { advance() }
            return token.text
        }

        private mutating func expect(_ kind: Token.Kind, _ text: String) throws {
            guard token.kind == kind else { throw unexpected(expected: "\"\(text)\"") }
            advance()
        }

        // MARK: Statements

        /// The statements up to one of the end tags, whose name is left to be read.
        private mutating func statements(until ends: [String], of opener: String, openedAt: Int = 1) throws
            -> [Statement]
        {
            statementDepth += 1
            defer { statementDepth -= 1 }
            guard statementDepth <= Depth.statement else {
                throw failure("statements are nested more than \(Depth.statement) deep.")
            }
            var body: [Statement] = []
            while token.kind != .end {
                let line = line
                switch token.kind {
                case .data:
                    body.append(Statement(line: line, kind: .text(token.text)))
                    advance()
                case .variableBegin:
                    advance()
                    body.append(Statement(line: line, kind: .output(try tuple())))
                    try expect(.variableEnd, "}}")
                default:
                    try expect(.blockBegin, "{%")
                    guard token.kind == .name else { throw unexpected(expected: "the name of a statement") }
                    if ends.contains(token.text) { return body }
                    body.append(Statement(line: line, kind: try statement(ends)))
                    try expect(.blockEnd, "%}")
                }
            }
            guard ends.isEmpty else {
                let missing = ends.map { "\"{% \($0) %}\"" }.joined(separator: " or ")
                throw failure("the template ends before \(missing) of the \(opener) in line \(openedAt).")
            }
            return body
        }

        /// `%}`, the statements, and the end tag, whose name is given back.
        private mutating func block(_ opener: String, until ends: [String], openedAt: Int) throws -> (
            body: [Statement], end: String
        ) {
            _ = skip(symbol: ":")
            try expect(.blockEnd, "%}")
            let body = try statements(until: ends, of: opener, openedAt: openedAt)
            let end = token.text
            advance()
            return (body, end)
        }

        private mutating func statement(_ ends: [String]) throws -> Statement.Kind {
            let line = line
            let name = token.text
            advance()
            switch name {
            case "if": return try branches(line)
            case "for": return try loop(line)
            case "set": return try set(line)
            case "with": return try with(line)
            case "macro": return .macro(try macro(line))
            case "call": return try callBlock(line)
            case "filter":
                let filter = try filters(of: Expression(line: line, depth: 1, kind: .captured), first: true)
                return .filterBlock(
                    filter, body: try detached { try $0.block(name, until: ["endfilter"], openedAt: line).body })
            case "generation":
                hasGenerationBlocks = true
                return .generation(
                    body: try detached { try $0.block(name, until: ["endgeneration"], openedAt: line).body })
            case "break", "continue":
                guard isInLoop else { throw failure("\"\(name)\" is used outside a loop.", line: line) }
                return name == "break" ? .breakLoop : .continueLoop
            case "include", "import", "from", "extends", "block", "autoescape", "print", "do", "trans":
                throw JinjaError(
                    .unsupported, "the statement \"\(name)\" is not supported in a chat template.", line: line)
            default:
                let expected = ends.isEmpty ? "" : " (expected \(ends.joined(separator: ", ")), or another statement)"
                throw failure("there is no statement \"\(name)\"\(expected).", line: line)
            }
        }

        /// Reads a body that a `break` inside cannot leave.
        private mutating func detached<Result>(_ read: (inout Self) throws -> Result) rethrows -> Result {
            let outer = isInLoop
            isInLoop = false
            defer { isInLoop = outer }
            return try read(&self)
        }

        private mutating func branches(_ line: Int) throws -> Statement.Kind {
            var branches: [(test: Expression, body: [Statement])] = []
            var end = "elif"
            while end == "elif" {
                let test = try tuple(withConditional: false)
                let (body, found) = try block("if", until: ["elif", "else", "endif"], openedAt: line)
                branches.append((test, body))
                end = found
            }
            let otherwise = end == "else" ? try block("if", until: ["endif"], openedAt: line).body : []
            return .branches(branches, otherwise: otherwise)
        }

        private mutating func loop(_ line: Int) throws -> Statement.Kind {
            let target = try target(endingWith: "in")
            try expect(name: "in")
            let iterable = try tuple(withConditional: false, endingWith: "recursive")
            let condition = skip(name: "if") ? try expression() : nil
            guard !token.isName("recursive") else {
                throw JinjaError(
                    .unsupported, "recursive loops are not supported; use a macro that calls itself.", line: line)
            }
            let outer = isInLoop
            isInLoop = true
            defer { isInLoop = outer }
            let (body, end) = try block("for", until: ["endfor", "else"], openedAt: line)
            isInLoop = outer
            let otherwise = end == "else" ? try block("for", until: ["endfor"], openedAt: line).body : []
            return .loop(
                Loop(
                    target: target, iterable: iterable, condition: condition, body: body, otherwise: otherwise))
        }

        private mutating func set(_ line: Int) throws -> Statement.Kind {
            let target = try target(withNamespace: true)
            if skip(symbol: "=") { return .set(target, try tuple()) }
            let filter = try filters(of: Expression(line: line, depth: 1, kind: .captured))
            return .setBlock(
                target, filter, body: try detached { try $0.block("set", until: ["endset"], openedAt: line).body })
        }

        private mutating func with(_ line: Int) throws -> Statement.Kind {
            var values: [(Target, Expression)] = []
            while token.kind != .blockEnd, token.kind != .end {
                if !values.isEmpty { try expect(symbol: ",") }
                let target = try target(withTuple: false)
                try expect(symbol: "=")
                values.append((target, try expression()))
            }
            return .with(values, body: try block("with", until: ["endwith"], openedAt: line).body)
        }

        private mutating func macro(_ line: Int) throws -> MacroDefinition {
            let name = try expectName()
            let parameters = try signature()
            return try macroBody(name, parameters, "macro", line)
        }

        private mutating func callBlock(_ line: Int) throws -> Statement.Kind {
            let parameters = token.isSymbol("(") ? try signature() : []
            let call = try expression()
            guard case .call(let callee, let arguments) = call.kind else {
                throw failure("\"call\" needs the call of a macro.", line: line)
            }
            return .callBlock(callee, arguments, try macroBody("caller", parameters, "call", line))
        }

        private mutating func macroBody(
            _ name: String, _ parameters: [Parameter], _ opener: String, _ line: Int
        ) throws -> MacroDefinition {
            spokenNames.append([])
            let body = try detached { try $0.block(opener, until: ["end\(opener)"], openedAt: line).body }
            let spoken = spokenNames.removeLast()
            if !spokenNames.isEmpty { spokenNames[spokenNames.count - 1].formUnion(spoken) }
            return MacroDefinition(
                name: name, parameters: parameters, body: body, takesList: spoken.contains("varargs"),
                takesDictionary: spoken.contains("kwargs"), takesCaller: spoken.contains("caller"))
        }

        private mutating func signature() throws -> [Parameter] {
            try expect(symbol: "(")
            var parameters: [Parameter] = []
            while !token.isSymbol(")") {
                if !parameters.isEmpty { try expect(symbol: ",") }
                let name = try expectName()
                if skip(symbol: "=") {
                    parameters.append(Parameter(name: name, defaultValue: try expression()))
                } else if parameters.contains(where: { $0.defaultValue != nil }) {
                    throw failure("the parameter \"\(name)\" needs a default, because one before it has one.")
                } else {
                    parameters.append(Parameter(name: name, defaultValue: nil))
                }
            }
            try expect(symbol: ")")
            return parameters
        }

        // MARK: Targets

        private static let constants: Set<String> = ["true", "false", "none", "True", "False", "None"]

        /// What is assigned to: a name, names with commas between them, or an attribute of a namespace.
        private mutating func target(
            endingWith end: String? = nil, withTuple: Bool = true, withNamespace: Bool = false
        ) throws -> Target {
            let first = try singleTarget(withNamespace: withNamespace)
            guard withTuple, token.isSymbol(",") else { return first }
            var targets = [first]
            while skip(symbol: ",") {
                if token.kind == .blockEnd || token.isSymbol(")") { break }
                if let end, token.isName(end) { break }
                targets.append(try singleTarget(withNamespace: withNamespace))
            }
            return .tuple(targets)
        }

        private mutating func singleTarget(withNamespace: Bool) throws -> Target {
            expressionDepth += 1
            defer { expressionDepth -= 1 }
            guard expressionDepth <= Depth.nesting else { throw failure("targets are nested too deep.") }
            if skip(symbol: "(") {
                let target = try target(withNamespace: withNamespace)
                try expect(symbol: ")")
                return target
            }
            guard token.kind == .name else { throw unexpected(expected: "a name to assign to") }
            guard !Self.constants.contains(token.text) else {
                throw failure("\"\(token.text)\" cannot be assigned to.")
            }
            let name = try expectName()
            guard withNamespace, skip(symbol: ".") else { return .name(name) }
            return .namespaceAttribute(name, try expectName())
        }
    }
}
