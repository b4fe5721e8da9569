internal import MenoTokenizers

/// Examples as compact bytes: numbers take as many groups of seven bits as they need, and labels are the lengths of the
/// stretches that carry loss.
struct ExampleWriter {
    private(set) var bytes: [UInt8] = []

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func write(_ example: Example) {
        let repeatsIDs = zip(example.ids, example.labels).allSatisfy { $1 == $0 || $1 == Example.ignoredLabel }
        var flags: ExampleFlags = []
        if !repeatsIDs { flags.insert(.hasOwnLabels) }
        if let preference = example.preference {
            flags.insert(.isPreference)
            if preference.rejected != nil { flags.insert(.isPair) }
            if preference.isDesirable { flags.insert(.isDesirable) }
        }
        bytes.append(flags.rawValue)
        write(example.place)
        write(example.ids)
        if repeatsIDs {
            writeStretches(example.labels.count) { example.labels[$0] != Example.ignoredLabel }
        } else {
            for label in example.labels { write(UInt32(bitPattern: label)) }
        }
        writeStretches(example.isCompletion.count) { example.isCompletion[$0] }
        guard let preference = example.preference else { return }
        write(UInt32(preference.promptLength))
        if let rejected = preference.rejected { write(rejected) }
    }

    @inline(__always)
    private mutating func write(_ number: UInt32) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func write(_ ids: [TokenID]) {
        write(UInt32(ids.count))
        for id in ids { write(UInt32(bitPattern: id)) }
    }

    private mutating func write(_ text: String) {
        write(UInt32(text.utf8.count))
        bytes += text.utf8
    }

    /// The lengths of stretches of equal values, the first of them of `false`.
    private mutating func writeStretches(_ count: Int, _ value: (Int) -> Bool) {
        var (start, current) = (0, false)
        for index in 0..<count where value(index) != current {
            write(UInt32(index - start))
            (start, current) = (index, !current)
        }
        write(UInt32(count - start))
    }
}

struct ExampleFlags: OptionSet {
    let rawValue: UInt8
    static let isPreference = ExampleFlags(rawValue: 1)
    static let isPair = ExampleFlags(rawValue: 2)
    static let isDesirable = ExampleFlags(rawValue: 4)
    /// Labels that are others than the tokens.
    static let hasOwnLabels = ExampleFlags(rawValue: 8)
}

/// Reads what ``ExampleWriter`` wrote.
struct ExampleReader {
    /// The bytes are none of an example.
    struct Damage: Error {}

    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    static func example(_ bytes: UnsafeRawBufferPointer, source: String?) throws(Damage) -> Example {
        var reader = ExampleReader(bytes)
        let example = try reader.example(source: source)
        guard reader.place == bytes.count else { throw Damage() }
        return example
    }

    private mutating func example(source: String?) throws(Damage) -> Example {
        guard let first = bytes.first else { throw Damage() }
        let flags = ExampleFlags(rawValue: first)
        place = 1
        let place = try text()
        let ids = try self.ids()
        var labels = ids
        if flags.contains(.hasOwnLabels) {
            for index in labels.indices { labels[index] = TokenID(bitPattern: try number()) }
        } else {
            try stretches(ids.count) { index, carriesLoss in
                if !carriesLoss { labels[index] = Example.ignoredLabel }
            }
        }
        var isCompletion = Array(repeating: false, count: ids.count)
        try stretches(ids.count) { isCompletion[$0] = $1 }
        var example = Example(ids: ids, labels: labels, isCompletion: isCompletion, place: place, source: source)
        if flags.contains(.isPreference) {
            let length = Int(try number())
            example.preference = Preference(
                promptLength: length, rejected: flags.contains(.isPair) ? try self.ids() : nil,
                isDesirable: flags.contains(.isDesirable))
        }
        return example
    }

    @inline(__always)
    private mutating func number() throws(Damage) -> UInt32 {
        var (value, shift): (UInt32, UInt32) = (0, 0)
        while place < bytes.count, shift < 35 {
            let byte = bytes[place]
            place += 1
            value |= UInt32(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw Damage()
    }

    private mutating func ids() throws(Damage) -> [TokenID] {
        let count = Int(try number())
        guard count <= bytes.count - place else { throw Damage() }
        var ids: [TokenID] = []
        ids.reserveCapacity(count)
        for _ in 0..<count { ids.append(TokenID(bitPattern: try number())) }
        return ids
    }

    private mutating func text() throws(Damage) -> String {
        let count = Int(try number())
        guard count <= bytes.count - place else { throw Damage() }
        defer { place += count }
        return String(decoding: bytes[place..<place + count], as: UTF8.self)
    }

    private mutating func stretches(_ count: Int, _ body: (Int, Bool) -> Void) throws(Damage) {
        var (index, current) = (0, false)
        repeat {
            let length = Int(try number())
            guard length <= count - index else { throw Damage() }
            for place in index..<index + length { body(place, current) }
            index += length
            current.toggle()
        } while index < count
    }
}
