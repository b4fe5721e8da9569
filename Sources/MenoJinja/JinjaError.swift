/// An error in a template or in its input.
package struct JinjaError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// The template cannot be parsed.
        case syntax
        /// An operation failed while the template ran.
        case rendering
        /// The template called `raise_exception`; the message is the template's.
        case raised
        /// ``JinjaTemplate/Limits`` or a limit of nesting was exceeded.
        case limit
        /// A feature of jinja2 that is not supported.
        case unsupported
    }

    package var kind: Kind
    package var message: String
    /// The template's line, from 1. Every error that ``JinjaTemplate`` throws has one.
    package var line: Int?

    package init(_ kind: Kind, _ message: String, line: Int? = nil) {
        self.kind = kind
        self.message = message
        self.line = line
    }

    package init(_ message: String) { self.init(.rendering, message) }

    package var description: String { line.map { "line \($0): \(message)" } ?? message }
}
