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
