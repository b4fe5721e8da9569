/// The settings that an error's advice refers to, some with a value that would help. Write them as an array, or as a
/// dictionary with values: `[.maxLength]`, `[.model: "gemma-3-270m", .adapter: "runs/first/model"]`.
public struct SuggestedSettings: Sendable, Hashable, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    /// A setting, and a suggested value if there is one.
    public struct Entry: Sendable, Hashable {
        /// The setting.
        public var setting: Setting
        /// The suggested value.
        public var value: String?
    }

    /// In the order to name them.
    public var entries: [Entry]

    /// Settings without values.
    public init(_ settings: [Setting]) { entries = settings.map { Entry(setting: $0) } }

    /// Settings without values.
    public init(arrayLiteral settings: Setting...) { self.init(settings) }

    /// Settings with values, or with none.
    public init(dictionaryLiteral elements: (Setting, String?)...) {
        entries = elements.map { Entry(setting: $0.0, value: $0.1) }
    }
}
