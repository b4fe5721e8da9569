/// What a template is given: JSON's kinds of values, with objects in the order of their keys' insertion.
public enum JinjaValue: Sendable, Hashable {
    case none
    case boolean(Bool)
    case integer(Int)
    case double(Double)
    case string(String)
    case array([JinjaValue])
    case object(JinjaObject)
}

/// Keys and values in the order in which the keys were first set, as a Python dictionary keeps them: `tojson` and loops
/// show that order.
public struct JinjaObject: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public var key: String
        public var value: JinjaValue

        public init(key: String, value: JinjaValue) {
            self.key = key
            self.value = value
        }
    }

    public private(set) var entries: [Entry] = []
    private var places: [ExactString: Int] = [:]

    public init() {}

    /// A key that comes twice keeps its first place and its last value.
    public init(_ entries: [Entry]) {
        for entry in entries { self[entry.key] = entry.value }
    }

    /// The value of a key. Assigning `nil` removes the key, in time proportional to the number of keys.
    public subscript(key: String) -> JinjaValue? {
        get { places[ExactString(key)].map { entries[$0].value } }
        set {
            let place = places[ExactString(key)]
            switch (place, newValue) {
            case (let place?, let value?): entries[place].value = value
            case (nil, let value?):
                places[ExactString(key)] = entries.count
                entries.append(Entry(key: key, value: value))
            case (let place?, nil):
                entries.remove(at: place)
                places = Dictionary(
                    uniqueKeysWithValues: entries.enumerated().map { (ExactString($1.key), $0) })
            case (nil, nil): break
            }
        }
    }

    public static func == (a: Self, b: Self) -> Bool { a.entries == b.entries }

    public func hash(into hasher: inout Hasher) { hasher.combine(entries) }
}

extension JinjaValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(arrayLiteral elements: JinjaValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JinjaValue)...) {
        self = .object(JinjaObject(elements.map { JinjaObject.Entry(key: $0.0, value: $0.1) }))
    }
    public init(nilLiteral: ()) { self = .none }
}

/// A string that equals another only where every code point does. (Swift's own strings are equal up to canonical
/// equivalence, Python's are not.)
struct ExactString: Sendable, Hashable {
    let string: String

    init(_ string: String) { self.string = string }

    static func == (a: Self, b: Self) -> Bool { a.string.utf8.elementsEqual(b.string.utf8) }

    func hash(into hasher: inout Hasher) {
        var string = string
        string.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
