/// What is wrong with a template, or with what it was given.
package struct JinjaError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
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

    package var kind: Kind
    package var message: String
    /// The template's line, from 1. Every error that leaves ``JinjaTemplate`` has one.
    package var line: Int?

    package init(_ kind: Kind, _ message: String, line: Int? = nil) {
        self.kind = kind
        self.message = message
        self.line = line
    }

    package init(_ message: String) { self.init(.rendering, message) }

    package var description: String { line.map { "line \($0): \(message)" } ?? message }
}
