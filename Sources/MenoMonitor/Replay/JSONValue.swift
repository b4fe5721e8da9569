/// A JSON value, with the place it was read at.
struct JSONValue {
    enum Content {
        case object([String: JSONValue])
        case array([JSONValue])
        case string(String)
        /// Also NaN and the infinities, which Python writes.
        case number(Double)
        case boolean(Bool)
        case null
    }

    let content: Content
    /// Byte offset.
    let offset: Int

    /// `nil` where it is something else.
    var text: String? { if case .string(let text) = content { text } else { nil } }

    /// What this is, for messages.
    var kind: String {
        switch content {
        case .object: "an object"
        case .array: "a list"
        case .string: "text"
        case .number: "a number"
        case .boolean: "true or false"
        case .null: "null"
        }
    }
}
