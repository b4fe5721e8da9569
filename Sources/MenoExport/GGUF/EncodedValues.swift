internal import MenoFormats
internal import MenoTensor

extension [Float] {
    /// Lends the values as a tensor type stores them.
    func encoded<Result>(as type: GGUFTensorType, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        if let search = BlockSearch(rawValue: type.name) {
            return try search.blocks(of: self).withMutableBytes { try body(UnsafeRawBufferPointer($0)) }
        }
        return try withUnsafeBufferPointer { values in
            if type == .F32 { return try body(UnsafeRawBufferPointer(values)) }
            let size = values.count / type.block.elements * type.block.bytes
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
            defer { bytes.deallocate() }
            Quantization.encode(values, as: type, into: bytes)
            return try body(UnsafeRawBufferPointer(bytes))
        }
    }
}
