/// Cuts the text of a JSON array into its elements without reading them, so that one bad element spoils no other and
/// memory does not grow with the file.
struct JSONArrayElements {
    enum Failure: Error {
        case noArray
        /// The text ended inside the array, after this many whole elements.
        case unclosed(elements: Int)
        /// Something follows the array.
        case trailing(offset: Int)
    }

    /// The byte ranges of the elements, without the white space around them.
    static func ranges(in bytes: UnsafeRawBufferPointer) throws(Failure) -> [Range<Int>] {
        var place = skippingSpace(bytes, from: 0)
        guard place < bytes.count, bytes[place] == UInt8(ascii: "[") else { throw .noArray }
        place = skippingSpace(bytes, from: place + 1)
        var elements: [Range<Int>] = []
        if place < bytes.count, bytes[place] == UInt8(ascii: "]") {
            try requireEnd(bytes, from: place + 1)
            return elements
        }
        var start = place
        var depth = 0
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                place += 1
                while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
                    place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
                }
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0, bytes[place] != UInt8(ascii: "}") {
                    elements.append(trimmed(bytes, start..<place))
                    if bytes[place] == UInt8(ascii: "]") {
                        try requireEnd(bytes, from: place + 1)
                        return elements
                    }
                    start = place + 1
                } else if bytes[place] != UInt8(ascii: ",") {
                    depth = max(0, depth - 1)
                }
            default: break
            }
            place += 1
        }
        throw .unclosed(elements: elements.count)
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    private static func skippingSpace(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var place = start
        while place < bytes.count, isSpace(bytes[place]) { place += 1 }
        return place
    }

    private static func requireEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(Failure) {
        let place = skippingSpace(bytes, from: start)
        guard place == bytes.count else { throw .trailing(offset: place) }
    }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, isSpace(bytes[start]) { start += 1 }
        while end > start, isSpace(bytes[end - 1]) { end -= 1 }
        return start..<end
    }
}
