internal import Foundation

/// A tally as compact bytes: every chunk of prepared examples has one, and JSON's numbers would cost more than the counting.
extension DataTally: Codable {
    package func encode(to encoder: any Encoder) throws {
        var bytes = TallyBytes()
        bytes.write(UInt64(records))
        bytes.write(UInt64(pairs))
        for histogram in [characters, turns] {
            let sorted = histogram.counts.sorted { $0.key < $1.key }
            bytes.write(UInt64(sorted.count))
            var last = 0
            for (number, count) in sorted {
                bytes.write(UInt64(number - last))
                bytes.write(UInt64(count))
                last = number
            }
        }
        for counts in [shapes, sources, languages] {
            bytes.write(UInt64(counts.count))
            for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
                bytes.write(name)
                bytes.write(UInt64(count))
            }
        }
        bytes.write(UInt64(fingerprints.count))
        for fingerprint in fingerprints.all { bytes.writeWhole(fingerprint) }
        var container = encoder.singleValueContainer()
        try container.encode(Data(bytes.all))
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        var bytes = TallyBytes(Array(try container.decode(Data.self)))
        self.init()
        do throws(TallyBytes.Damage) {
            records = try bytes.count()
            pairs = try bytes.count()
            for histogram in [\DataTally.characters, \DataTally.turns] {
                var last = 0
                for _ in 0..<(try bytes.count()) {
                    last += try bytes.count()
                    self[keyPath: histogram].add(last, count: try bytes.count())
                }
            }
            for counts in [\DataTally.shapes, \DataTally.sources, \DataTally.languages] {
                for _ in 0..<(try bytes.count()) {
                    let name = try bytes.text()
                    self[keyPath: counts][name] = try bytes.count()
                }
            }
            for _ in 0..<(try bytes.count()) { fingerprints.add(try bytes.whole()) }
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no tally")
        }
    }
}

/// Numbers in groups of seven bits, and texts.
private struct TallyBytes {
    struct Damage: Error {}

    private(set) var all: [UInt8]
    private var place = 0

    init(_ all: [UInt8] = []) { self.all = all }

    mutating func write(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            all.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        all.append(UInt8(rest))
    }

    mutating func writeWhole(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { all.append(contentsOf: $0) }
    }

    mutating func write(_ text: String) {
        write(UInt64(text.utf8.count))
        all += text.utf8
    }

    /// A number that cannot overflow a sum.
    mutating func count() throws(Damage) -> Int {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while place < all.count, shift < 56 {
            let byte = all[place]
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int(value) }
            shift += 7
        }
        throw Damage()
    }

    mutating func whole() throws(Damage) -> UInt64 {
        guard all.count - place >= 8 else { throw Damage() }
        defer { place += 8 }
        return all.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt64.self)) }
    }

    mutating func text() throws(Damage) -> String {
        let count = try count()
        guard count <= all.count - place else { throw Damage() }
        defer { place += count }
        return String(decoding: all[place..<place + count], as: UTF8.self)
    }
}
