/// The interpreter behind ``JinjaTemplate``: the language of jinja2 3.1 as transformers sets it up for chat templates,
/// which are untrusted input. Nothing in it recurses, loops or allocates beyond ``JinjaTemplate/Limits``.
enum Jinja {
    /// What went wrong, before it is known in which line.
    struct Failure: Error {
        enum Kind { case syntax, rendering, raised, limit, unsupported }

        var kind: Kind
        var message: String
        /// The template's line, from 1, where it is known better than the renderer knows it.
        var line: Int?

        init(_ kind: Kind = .rendering, _ message: String, line: Int? = nil) {
            self.kind = kind
            self.message = message
            self.line = line
        }
    }

    /// How deep expressions, statements and values may be nested in each other: what bounds every recursion here.
    enum Depth {
        static let expression = 96
        static let statement = 48
        static let value = 100
        /// Of nodes under evaluation at the same time, through calls of macros.
        static let evaluation = 300
    }
}
