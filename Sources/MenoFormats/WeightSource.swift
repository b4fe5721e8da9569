/// The element types in which weights can be read.
package enum WeightElementType: Sendable, Hashable, CaseIterable {
    case float32, bfloat16, float16

    /// Bytes per element.
    package var size: Int { self == .float32 ? 4 : 2 }
}

/// One tensor of a weight file, as the file describes it.
package struct WeightInfo: Sendable, Hashable {
    /// The tensor's name in the file's own naming scheme.
    package var name: String
    /// Row-major shape, outermost dimension first (a linear layer is `[outFeatures, inFeatures]`).
    package var shape: [Int]
    /// How the file stores it: `F32`, `BF16`, `Q4_K`, …
    package var storage: String

    package init(name: String, shape: [Int], storage: String) {
        self.name = name
        self.shape = shape
        self.storage = storage
    }

    /// The number of elements.
    package var count: Int { shape.reduce(1, *) }
}

/// Named weights that can be read as floating-point numbers, whatever their storage.
package protocol WeightSource: Sendable {
    /// Every tensor, in the file's order.
    var weights: [WeightInfo] { get }

    /// The tensor of this name, or `nil`.
    func weight(named name: String) -> WeightInfo?

    /// Reads (dequantises, converts) a complete tensor, row-major.
    /// - Parameter destination: exactly `count × elementType.size` bytes, aligned for the element type.
    /// - Throws: ``FormatError`` when there is no such tensor, the size is wrong or the storage is unsupported.
    func read(_ name: String, as elementType: WeightElementType, into destination: UnsafeMutableRawBufferPointer) throws

    /// Reads some elements of a tensor, counted row-major; for example, complete rows of a matrix that is too large to read at
    /// once.
    /// - Parameters:
    ///   - elements: a range within the tensor that covers complete blocks of the storage, as complete rows always do.
    ///   - destination: exactly `elements.count × elementType.size` bytes, aligned for the element type.
    /// - Throws: as ``read(_:as:into:)``.
    func read(
        _ name: String, elements: Range<Int>, as elementType: WeightElementType,
        into destination: UnsafeMutableRawBufferPointer
    ) throws
}

extension WeightSource {
    package func read(
        _ name: String, as elementType: WeightElementType, into destination: UnsafeMutableRawBufferPointer
    ) throws {
        try read(name, elements: 0..<(weight(named: name)?.count ?? 0), as: elementType, into: destination)
    }
}
