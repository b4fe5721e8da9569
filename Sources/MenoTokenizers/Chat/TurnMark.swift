internal import Foundation

/// A text in the place of a turn's own, by which it is found in what a template writes.
extension ChatMessage {
    /// No text holds it, and nothing that templates do to texts changes it.
    static let mark = "\u{F0000}\u{10FFFD}\u{F0000}"

    mutating func mark() { (content, form) = (Self.mark, .text) }
}

extension String {
    /// What stands before and behind the only place of `mark`.
    func split(at mark: String) -> (before: String, after: String)? {
        let parts = components(separatedBy: mark)
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
}

extension BidirectionalCollection<UInt8> {
    func hasSuffix(_ suffix: some BidirectionalCollection<UInt8>) -> Bool {
        count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}
