internal import MenoFormats

/// Finds where an object or array of JSON ends, over a text that comes in pieces.
struct BracketScanner {
    private var depth = 0
    private var strings = StringScanner()

    /// What a scan found.
    enum Result: Equatable {
        /// Behind the bracket that closes it.
        case closed(Int)
        /// What begins here is no object or array.
        case none
        /// The piece ended before.
        case open
    }

    /// Goes over the next piece.
    /// - Parameter start: where the piece begins in the bytes.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Result {
        var place = start
        while place < bytes.count {
            place = strings.skip(bytes, from: place)
            guard place < bytes.count else { break }
            let byte = bytes[place]
            place += 1
            if strings.take(byte) { continue }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return .closed(place) }
            default: if depth == 0 { return .none }
            }
        }
        return .open
    }
}

/// Tells the bytes of JSON's strings from the others, over a text that comes in pieces.
private struct StringScanner {
    private var isInString = false
    private var isEscaped = false

    /// Passes over what in a string is certainly of it.
    /// - Returns: the next byte to look at.
    func skip(_ bytes: UnsafeRawBufferPointer, from place: Int) -> Int {
        isInString && !isEscaped ? JSONText.plainEnd(bytes, from: place) : place
    }

    /// - Returns: whether the byte belongs to a string, its quotes included.
    mutating func take(_ byte: UInt8) -> Bool {
        guard isInString else {
            isInString = byte == UInt8(ascii: "\"")
            return isInString
        }
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            isInString = false
        }
        return true
    }
}

/// Cuts an array of JSON into its elements, over a text that comes in pieces, without reading them: one bad element spoils no
/// other.
struct ArrayScanner {
    private var depth = 0
    private var strings = StringScanner()

    /// The end of an element.
    struct End: Equatable {
        /// Behind its last byte.
        var offset: Int
        /// Whether the array ends with it.
        var isLast: Bool
    }

    /// Goes over the next piece.
    /// - Returns: the next end of an element; `nil` where the piece ended before.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, from start: Int) -> End? {
        var place = start
        while place < bytes.count {
            place = strings.skip(bytes, from: place)
            guard place < bytes.count else { break }
            let byte = bytes[place]
            if !strings.take(byte) {
                switch byte {
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: ","): if depth == 0 { return End(offset: place, isLast: false) }
                case UInt8(ascii: "]"):
                    if depth == 0 { return End(offset: place, isLast: true) }
                    depth -= 1
                case UInt8(ascii: "}"): depth = max(0, depth - 1)
                default: break
                }
            }
            place += 1
        }
        return nil
    }
}
