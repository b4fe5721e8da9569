/// JSON that is put together piece by piece: a vocabulary has hundreds of thousands of entries, which no tree need hold.
struct JSONText {
    private(set) var bytes: [UInt8] = []

    /// Appends JSON as it is.
    mutating func raw(_ text: some StringProtocol) { bytes.append(contentsOf: text.utf8) }
    mutating func raw(_ text: some Sequence<UInt8>) { bytes.append(contentsOf: text) }

    /// Appends a string.
    mutating func string(_ utf8: some Sequence<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "\n"): raw(#"\n"#)
            case 0..<0x20: raw("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    static func string(_ text: String) -> String {
        var json = JSONText()
        json.string(text.utf8)
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
