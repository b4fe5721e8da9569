/// Tensors in one or several safetensors files.
protocol SafetensorsTensors: Sendable {
    /// The file that holds a tensor; `nil` if there is no such tensor.
    func file(holding name: String) -> SafetensorsFile?
    /// The path of the file or index, for messages.
    var path: String { get }
}

extension SafetensorsTensors {
    func tensor(named name: String) -> SafetensorsTensor? { file(holding: name)?.tensor(named: name) }

    /// The path of the file that holds a tensor.
    func path(of name: String) -> String { file(holding: name)?.file.path ?? path }

    func elements<Element: BitwiseCopyable>(_ name: String, as type: Element.Type) throws -> [Element] {
        try existing(name).elements(name, as: type)
    }

    func withUnsafeBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        try existing(name).withUnsafeBytes(of: name, body)
    }

    /// Copies the bytes of a tensor.
    /// - Parameter destination: exactly that many bytes.
    func copy(_ name: String, into destination: UnsafeMutableRawBufferPointer) throws {
        let source = try existing(name)
        guard let bytes = source.tensor(named: name)?.bytes, bytes.count == destination.count else {
            throw FormatError(
                .malformed, at: path(of: name),
                "tensor '\(name)' does not have the size of its destination, \(destination.count) bytes.")
        }
        source.file.copy(bytes, into: destination)
    }

    private func existing(_ name: String) throws -> SafetensorsFile {
        guard let file = file(holding: name) else { throw FormatError.noTensor(name, path: path) }
        return file
    }
}

extension SafetensorsFile: SafetensorsTensors {
    var path: String { file.path }
    func file(holding name: String) -> SafetensorsFile? { tensor(named: name) == nil ? nil : self }
}

extension MemoryMappedFile {
    /// Copies some bytes, one part at a time, and releases copied pages before the next ones are loaded.
    func copy(_ range: Range<Int>, into destination: UnsafeMutableRawBufferPointer) {
        let step = 1 << 24
        for start in stride(from: 0, to: range.count, by: step) {
            let count = min(step, range.count - start)
            let part = range.lowerBound + start..<range.lowerBound + start + count
            withUnsafeBytes(part) {
                destination.baseAddress?.advanced(by: start).copyMemory(from: $0.baseAddress!, byteCount: count)
            }
            release(part)
        }
    }
}
