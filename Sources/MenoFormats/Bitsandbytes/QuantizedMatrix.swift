/// A matrix in the form of bitsandbytes, all but its codes, which stay in the file.
package struct QuantizedMatrix: Sendable, Hashable {
    /// What the codes are multiplied by.
    package enum Scales: Sendable, Hashable {
        /// Of each row of eight bits, or of each block of four.
        case plain([Float])
        /// Quantised themselves (double quantisation): codes of 256 values, what each ``nestedBlock`` of these are multiplied
        /// by, and what is added.
        case nested(codes: [UInt8], codebook: [Float], scales: [Float], offset: Float)
    }

    package enum Kind: Sendable, Hashable {
        /// Two codes in a byte, the first in its high half: values of a codebook of 16, times the scale of their block. Blocks
        /// are counted through all rows.
        case fourBits(codebook: [Float])
        /// Integers with a scale for each row: code · scale / 127.
        case eightBits
    }

    package var kind: Kind
    /// `[rows, columns]`.
    package var shape: [Int]
    /// Values that have a scale in common, of four bits.
    package var block: Int
    /// Scales that have one in common, of double quantisation.
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

    /// Values that are multiplied by the same factor: a block of four bits, a row of eight.
    private var group: Int {
        switch kind {
        case .fourBits: block
        case .eightBits: shape[1]
        }
    }

    /// What the blocks or rows of some values, counted row-major, are multiplied by, in bitsandbytes' order of operations.
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
    /// 1 / 127, as bitsandbytes writes it.
    private static let eightBitUnit: Float = 7.874015718698502e-3

    /// Decodes some values, counted row-major.
    /// - Parameters:
    ///   - codes: of the whole matrix.
    ///   - factors: see ``factors(of:)``, of the values that begin with `first`.
    ///   - output: as many values as are decoded.
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
