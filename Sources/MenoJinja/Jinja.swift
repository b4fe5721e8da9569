/// The interpreter behind ``JinjaTemplate``: the language of jinja2 3.1 as transformers sets it up for chat templates,
/// which are untrusted input. Nothing in it recurses beyond ``Depth``, and nothing loops or allocates beyond
/// ``JinjaTemplate/Limits``.
enum Jinja {
    /// Limits of nesting, which bound every recursion here.
    enum Depth {
        /// Nested brackets while parsing an expression.
        static let nesting = 32
        /// Nested nodes of an expression; a chain such as `a + b + c` nests to the left.
        static let expression = 96
        static let statement = 32
        static let value = 64
        /// Nodes under evaluation at the same time, including calls of macros.
        static let evaluation = 200
    }
}
