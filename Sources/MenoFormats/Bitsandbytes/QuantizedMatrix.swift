/// A matrix quantised by bitsandbytes, without its codes, which stay in the file.
package struct QuantizedMatrix: Sendable, Hashable {
    /// The factors of the codes.
    package enum Scales: Sendable, Hashable {
        /// One for each row (eight bits) or block (four bits).
        case plain([Float])
        /// Quantised scales (double quantisation): codes of a codebook with 256 values, a second-level scale for each
        /// ``nestedBlock`` codes, and an offset that is added.
        case nested(codes: [UInt8], codebook: [Float], scales: [Float], offset: Float)
    }

    package enum Kind: Sendable, Hashable {
        /// Two codes in a byte, the first in the high half. A code's value is that of a codebook of 16, times the scale of its
        /// block. Blocks may span rows.
        case fourBits(codebook: [Float])
        /// Integers with a scale for each row: code · scale / 127.
        case eightBits
    }

    package var kind: Kind
    /// `[rows, columns]`.
    package var shape: [Int]
    /// The number of values that share a scale (four bits).
    package var block: Int
    /// The number of scales that share a second-level scale (double quantisation).
    package var nestedBlock: Int
    package var scales: Scales

    /// The number of values.
    package var count: Int { shape.reduce(1, *) }
    /// Bytes of the codes.
    package var codeBytes: Int {
        switch kind {
        case .fourBits: count / 2
        case .eightBits: count
        }
    }

    /// The number of values with the same factor: a block (four bits) or a row (eight bits).
    private var group: Int {
        switch kind {
        case .fourBits: block
        case .eightBits: shape[1]
        }
    }

    /// The factors of the blocks or rows of some values, counted row-major, computed in bitsandbytes' order of operations.
    func factors(of elements: Range<Int>) -> [Float] {
        let groups = elements.lowerBound / group..<(elements.upperBound + group - 1) / group
        switch scales {
        case .plain(let scales): return Array(scales[groups])
        case .nested(let codes, let codebook, let scales, let offset):
            return groups.map { codebook[Int(codes[$0])] * scales[$0 / nestedBlock] + offset }
        }
    }
}

extension QuantizedMatrix {
    /// 1 / 127, rounded as in bitsandbytes.
    private static let eightBitUnit: Float = 7.874015718698502e-3

    /// Decodes some values, counted row-major.
    /// - Parameters:
    ///   - codes: the codes of the complete matrix.
    ///   - factors: see ``factors(of:)``, of the values that begin with `first`.
    ///   - output: room for the decoded values.
    func decode(
        _ codes: UnsafeRawBufferPointer, factors: UnsafeBufferPointer<Float>, from first: Int,
        into output: UnsafeMutableBufferPointer<Float>
    ) {
        let firstGroup = first / group
        switch kind {
        case .fourBits(let codebook):
            codebook.withUnsafeBufferPointer { codebook in
                for i in 0..<output.count {
                    let place = first &+ i
                    let pair = codes[place >> 1]
                    let code = place & 1 == 0 ? pair >> 4 : pair & 0x0F
                    output[i] = codebook[Int(code)] * factors[place / block &- firstGroup]
                }
            }
        case .eightBits:
            let columns = shape[1]
            for i in 0..<output.count {
                let place = first &+ i
                output[i] =
                    Float(Int8(bitPattern: codes[place])) * factors[place / columns &- firstGroup] * Self.eightBitUnit
            }
        }
    }
}
