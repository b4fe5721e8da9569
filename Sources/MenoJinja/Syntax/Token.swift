extension Jinja {
    struct Token: Sendable {
        enum Kind: Sendable, Hashable {
            case data, blockBegin, blockEnd, variableBegin, variableEnd, name, string, integer, float, symbol, end
        }

        var kind: Kind
        /// A string's value, the text of anything else.
        var text: String
        var line: Int

        func isName(_ name: String) -> Bool { kind == .name && text == name }
        func isSymbol(_ symbol: String) -> Bool { kind == .symbol && text == symbol }

        /// For messages.
        var description: String {
            switch kind {
            case .data: "text"
            case .blockBegin: "{%"
            case .blockEnd: "%}"
            case .variableBegin: "{{"
            case .variableEnd: "}}"
            case .string: "a string"
            case .end: "the end of the template"
            case .name, .integer, .float, .symbol: "\"\(text)\""
            }
        }
    }
}
