/// The interpreter behind ``JinjaTemplate``: the language of jinja2 3.1 as transformers sets it up for chat templates,
/// which are untrusted input. Nothing in it recurses beyond ``Depth``, and nothing loops or allocates beyond
/// ``JinjaTemplate/Limits``.
enum Jinja {
    /// How deep things may be nested in each other: what bounds every recursion here.
    enum Depth {
        /// Of brackets and the like, while an expression is read.
        static let nesting = 32
        /// Of the nodes of an expression; a chain such as `a + b + c` nests to the left.
        static let expression = 96
        static let statement = 32
        static let value = 64
        /// Of nodes under evaluation at the same time, through calls of macros.
        static let evaluation = 200
    }
}

/// What is wrong with a template, or with what it was given.
struct JinjaError: Error, Sendable, Hashable, CustomStringConvertible {
    enum Kind: Sendable, Hashable {
        /// The template cannot be read.
        case syntax
        /// An operation failed while the template ran.
        case rendering
        /// The template itself called `raise_exception`: the message is its own.
        case raised
        /// More was asked for than ``JinjaTemplate/Limits`` or the bounds of nesting allow.
        case limit
        /// A part of jinja2 that is left out here.
        case unsupported
    }

    var kind: Kind
    var message: String
    /// The template's line, from 1. Every error that leaves ``JinjaTemplate`` has one.
    var line: Int?

    init(_ kind: Kind, _ message: String, line: Int? = nil) {
        self.kind = kind
        self.message = message
        self.line = line
    }

    init(_ message: String) { self.init(.rendering, message) }

    var description: String { line.map { "line \($0): \(message)" } ?? message }
}
