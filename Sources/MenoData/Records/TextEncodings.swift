internal import Foundation

/// Texts in other encodings than UTF-8, which a byte order mark names.
enum TextEncodings {
    private static let marks: [(mark: [UInt8], encoding: String.Encoding)] = [
        ([0xFF, 0xFE, 0, 0], .utf32LittleEndian), ([0, 0, 0xFE, 0xFF], .utf32BigEndian),
        ([0xFF, 0xFE], .utf16LittleEndian), ([0xFE, 0xFF], .utf16BigEndian),
    ]

    /// The same text in UTF-8, without its mark; `nil` where it is not what its mark says.
    static func utf8(_ data: Data) -> Data? {
        if data.starts(with: [0xEF, 0xBB, 0xBF]) { return data.dropFirst(3) }
        guard let (mark, encoding) = marks.first(where: { data.starts(with: $0.mark) }) else { return data }
        return String(data: data.dropFirst(mark.count), encoding: encoding).map { Data($0.utf8) }
    }
}
