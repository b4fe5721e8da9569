internal import Foundation

/// SentencePiece's table of replacements, `precompiled_charsmap`: a double-array trie (Darts) over UTF-8, whose values are
/// offsets into a list of texts that end with a zero byte.
struct PrecompiledMap: Sendable {
    private let units: [UInt32]
    private let texts: [UInt8]

    /// - Parameter data: the size of the trie in bytes (32 bits, little-endian), the trie, the texts.
    init?(_ data: Data) {
        let bytes = Array(data)
        guard bytes.count >= 4 else { return nil }
        let word = { (place: Int) in (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) } }
        let size = Int(word(0))
        guard size % 4 == 0, size > 0, size <= bytes.count - 4 else { return nil }
        units = stride(from: 4, to: 4 + size, by: 4).map(word)
        texts = Array(bytes[(4 + size)...])
    }

    func apply(to text: inout AlignedText) {
        text.rewrite { old, new in
            var place = 0
            for character in String(decoding: old.bytes, as: UTF8.self) {
                let count = character.utf8.count
                // Whole clusters of up to five bytes come first, then each scalar.
                if count < 6, let replacement = replacement(of: old.bytes[place..<place + count]) {
                    new.put(replacement, at: place, of: old)
                } else {
                    putScalars(place..<place + count, old, &new)
                }
                place += count
            }
        }
    }

    private func putScalars(_ range: Range<Int>, _ old: AlignedText, _ new: inout AlignedText.Writer) {
        var place = range.lowerBound
        while place < range.upperBound {
            let end = min(place + utf8Length(old.bytes[place]), range.upperBound)
            if let replacement = replacement(of: old.bytes[place..<end]) {
                new.put(replacement, at: place, of: old)
            } else {
                new.keep(place..<end, of: old)
            }
            place = end
        }
    }

    /// The text of the shortest key that `key` begins with.
    private func replacement(of key: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var node = 0
        guard let root = unit(0) else { return nil }
        node ^= offset(root)
        for byte in key {
            if byte == 0 { return nil }
            node ^= Int(byte)
            guard let unit = unit(node), unit & (1 << 31 | 0xFF) == UInt32(byte) else { return nil }
            node ^= offset(unit)
            if unit >> 8 & 1 == 1, let value = self.unit(node) {
                let start = Int(value & (1 << 31 - 1))
                guard start < texts.count else { return nil }
                return texts[start...].prefix { $0 != 0 }
            }
        }
        return nil
    }

    private func unit(_ index: Int) -> UInt32? { units.indices.contains(index) ? units[index] : nil }
    private func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 1 << 9) >> 6)) }
}
