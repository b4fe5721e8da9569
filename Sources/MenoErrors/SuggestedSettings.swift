/// Settings that an error's advice is about, some with a value that would help. Written as an array, or as a dictionary where
/// values are known: `[.maxLength]`, `[.model: "gemma-3-270m", .adapter: "runs/first/model"]`.
public struct SuggestedSettings: Sendable, Hashable, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    /// A setting, and a value for it where one is known.
    public struct Entry: Sendable, Hashable {
        /// What is set.
        public var setting: Setting
        /// What it could be set to.
        public var value: String?
    }

    /// In the order in which they are to be named.
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
