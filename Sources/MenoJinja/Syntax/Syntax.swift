extension Jinja {
    /// An expression, with the line where it starts and how deep it nests.
    final class Expression: Sendable {
        enum Kind: Sendable {
            case literal(Literal)
            case name(String)
            case list([Expression])
            case tuple([Expression])
            case dictionary([(key: Expression, value: Expression)])
            case attribute(Expression, String)
            case item(Expression, Expression)
            case slice(Expression, Slice)
            case call(Expression, Arguments)
            case filter(Expression, String, Arguments)
            case test(Expression, String, Arguments)
            case negative(Expression)
            case positive(Expression)
            case not(Expression)
            case and(Expression, Expression)
            case or(Expression, Expression)
            case arithmetic(Operator, Expression, Expression)
            case concatenation([Expression])
            case comparison(Expression, [(Comparison, Expression)])
            case conditional(test: Expression, then: Expression, otherwise: Expression?)
            /// What a filter block or a block assignment filters.
            case captured
        }

        let line: Int
        let depth: Int
        let kind: Kind

        init(line: Int, depth: Int, kind: Kind) {
            self.line = line
            self.depth = depth
            self.kind = kind
        }
    }

    enum Literal: Sendable {
        case none
        case boolean(Bool)
        case integer(Int)
        case double(Double)
        case string(String)
    }

    struct Slice: Sendable {
        var start: Expression?
        var stop: Expression?
        var step: Expression?
    }

    struct Arguments: Sendable {
        var positional: [Expression] = []
        var named: [(name: String, value: Expression)] = []
        /// `*list`
        var list: Expression?
        /// `**dictionary`
        var dictionary: Expression?

        var all: [Expression] { positional + named.map(\.value) + [list, dictionary].compactMap { $0 } }
    }

    enum Operator: String, Sendable {
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case floorDivide = "//"
        case modulo = "%"
        case power = "**"
    }

    enum Comparison: String, Sendable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case isIn = "in"
        case isNotIn = "not in"
    }

    /// What `set`, `for` and `with` assign to.
    indirect enum Target: Sendable {
        case name(String)
        case tuple([Target])
        case namespaceAttribute(String, String)
    }

    struct Parameter: Sendable {
        var name: String
        var defaultValue: Expression?
    }

    struct MacroDefinition: Sendable {
        var name: String
        var parameters: [Parameter]
        var body: [Statement]
        /// Whether the body speaks of `varargs`, `kwargs` and `caller`: only then may a call bring them.
        var takesList: Bool
        var takesDictionary: Bool
        var takesCaller: Bool
    }

    struct Loop: Sendable {
        var target: Target
        var iterable: Expression
        var condition: Expression?
        var body: [Statement]
        var otherwise: [Statement]
    }

    struct Statement: Sendable {
        indirect enum Kind: Sendable {
            case text(String)
            case output(Expression)
            case branches([(test: Expression, body: [Statement])], otherwise: [Statement])
            case loop(Loop)
            case set(Target, Expression)
            /// `{% set x | filter %}…{% endset %}`: the expression filters the captured text.
            case setBlock(Target, Expression, body: [Statement])
            case with([(Target, Expression)], body: [Statement])
            case macro(MacroDefinition)
            /// The call, with the block as its `caller`.
            case callBlock(Expression, Arguments, MacroDefinition)
            case filterBlock(Expression, body: [Statement])
            case generation(body: [Statement])
            case breakLoop
            case continueLoop
        }

        let line: Int
        let kind: Kind
    }

    struct Template: Sendable {
        var body: [Statement]
        var hasGenerationBlocks: Bool
    }
}
