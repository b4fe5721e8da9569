/// A text that was changed on its way to the tokens, and where each of its bytes comes from.
struct AlignedText: Sendable {
    /// UTF-8.
    var bytes: [UInt8]
    /// For each byte, and for the end, the byte of the source that it comes from. `nil`: the source from ``start`` on,
    /// unchanged.
    private var origins: [Int]?
    private let start: Int

    /// A part of a source as it is.
    init(_ source: [UInt8], _ range: Range<Int>) {
        bytes = range == source.indices ? source : Array(source[range])
        start = range.lowerBound
    }

    /// The byte of the source where the byte `index` (or the end) comes from.
    func origin(_ index: Int) -> Int { origins?[index] ?? start + index }

    /// Writes the text again; `write` appends its pieces in order.
    /// - Parameter end: where the part of the text ends that is written; its end unless given.
    mutating func rewrite(upTo end: Int? = nil, _ write: (_ text: AlignedText, _ result: inout Writer) -> Void) {
        var writer = Writer(capacity: bytes.count + bytes.count / 8)
        write(self, &writer)
        writer.origins.append(origin(end ?? bytes.count))
        bytes = writer.bytes
        origins = writer.origins
    }

    /// Collects the bytes of a new text.
    struct Writer {
        fileprivate(set) var bytes: [UInt8] = []
        fileprivate var origins: [Int] = []

        fileprivate init(capacity: Int) {
            bytes.reserveCapacity(capacity)
            origins.reserveCapacity(capacity + 1)
        }

        /// Takes over bytes of the old text.
        mutating func keep(_ range: Range<Int>, of text: AlignedText) {
            bytes.append(contentsOf: text.bytes[range])
            for index in range { origins.append(text.origin(index)) }
        }

        /// Writes bytes that stand for what begins at `index` of the old text.
        mutating func put(_ new: some Sequence<UInt8>, at index: Int, of text: AlignedText) {
            let count = bytes.count
            bytes.append(contentsOf: new)
            origins.append(contentsOf: repeatElement(text.origin(index), count: bytes.count - count))
        }
    }
}

extension AlignedText {
    /// The non-overlapping places of some bytes, from left to right.
    func occurrences(of searched: [UInt8], in range: Range<Int>) -> [Range<Int>] {
        guard let first = searched.first else { return [] }
        var found: [Range<Int>] = []
        bytes.withUnsafeBufferPointer { bytes in
            var place = range.lowerBound
            while place + searched.count <= range.upperBound {
                if bytes[place] == first, (1..<searched.count).allSatisfy({ bytes[place + $0] == searched[$0] }) {
                    found.append(place..<place + searched.count)
                    place += searched.count
                } else {
                    place += 1
                }
            }
        }
        return found
    }
}
