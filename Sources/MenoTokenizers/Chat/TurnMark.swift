internal import Foundation

/// A text in the place of a turn's own, by which it is found in what a template writes.
extension ChatMessage {
    /// No text holds it, and nothing that templates do to texts changes it.
    static let mark = "\u{F0000}\u{10FFFD}\u{F0000}"

    mutating func mark() { (content, form) = (Self.mark, .text) }
}

extension String {
    /// The text before and after the only occurrence of `mark`.
    func split(at mark: String) -> (before: String, after: String)? {
        let parts = components(separatedBy: mark)
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
}

extension String {
    /// Whether some text stands in this one, byte by byte. (`contains` compares as Unicode does, which takes many times as
    /// long.)
    func hasText(_ searched: String) -> Bool {
        withBytes { bytes in
            searched.withBytes { searched in
                guard var place = bytes.baseAddress, let wanted = searched.baseAddress, let first = searched.first
                else {
                    return searched.isEmpty
                }
                let end = place + bytes.count - searched.count
                while place <= end, let found = memchr(place, Int32(first), end - place + 1) {
                    if memcmp(found, wanted, searched.count) == 0 { return true }
                    place = UnsafeRawPointer(found) + 1
                }
                return false
            }
        }
    }

    /// Whether this text ends in another one, byte by byte.
    func hasEnding(_ ending: String) -> Bool {
        withBytes { bytes in
            ending.withBytes { ending in
                guard let base = bytes.baseAddress, let wanted = ending.baseAddress else { return ending.isEmpty }
                return ending.count <= bytes.count
                    && memcmp(base + bytes.count - ending.count, wanted, ending.count) == 0
            }
        }
    }

    private func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var text = self
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

extension BidirectionalCollection<UInt8> {
    func hasSuffix(_ suffix: some BidirectionalCollection<UInt8>) -> Bool {
        count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}
