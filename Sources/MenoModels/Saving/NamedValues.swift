package import Foundation
internal import MenoFormats
package import MenoTensor

/// Copies of tensors' values at one moment, which can be written while training continues.
package struct NamedValues: Sendable {
    package struct Entry: Sendable {
        package var name: String
        package var shape: [Int]
        /// Row-major.
        package var values: [Float]

        package init(name: String, shape: [Int], values: [Float]) {
            (self.name, self.shape, self.values) = (name, shape, values)
        }
    }

    package var entries: [Entry]

    /// Copies tensors.
    package init(_ tensors: [(name: String, tensor: Tensor)]) throws {
        entries = try tensors.map { name, tensor in
            let values = try tensor.detached().to(.float32).to(.cpu)
            return Entry(name: name, shape: tensor.shape, values: try values.array(of: Float.self))
        }
    }

    /// Bytes of all values.
    package var size: Int { entries.reduce(0) { $0 + $1.values.count * MemoryLayout<Float>.size } }

    func renamed(_ name: (String) -> String) -> NamedValues {
        var values = self
        for index in entries.indices { values.entries[index].name = name(entries[index].name) }
        return values
    }

    /// Writes a safetensors file and returns once it is on disk.
    package func write(to url: URL) throws {
        let writer = try SafetensorsWriter(
            to: url, tensors: entries.map { .init($0.name, .float32, $0.shape) }, metadata: ["format": "pt"])
        for entry in entries { try writer.write(entry.name, entry.values) }
        try writer.finish(synchronize: true)
    }

    /// Restores tensors from a file, which must have every tensor with its shape.
    package static func restore(_ tensors: [(name: String, tensor: Tensor)], from url: URL) throws {
        try restore(tensors, from: url) { SavedPlace(name: $0) }
    }

    /// - Parameter place: the location of a tensor in the file.
    static func restore(
        _ tensors: [(name: String, tensor: Tensor)], from url: URL, at place: (String) -> SavedPlace
    ) throws {
        let file = try SafetensorsFile(contentsOf: url)
        try withoutGradient {
            for (name, tensor) in tensors {
                let saved = place(name)
                guard let info = file.weight(named: saved.name), info.shape == saved.shape(tensor.shape) else {
                    throw ModelError(
                        .mismatch, at: url.path,
                        "has no tensor \"\(name)\" of the shape \(tensor.shape).",
                        advice: "Was the checkpoint made with another model or other adapters?")
                }
                if let slice = saved.slice {
                    try tensor.copy_(file.tensor(info, slice, tensor.shape, dtype: .float32).to(tensor.device))
                    continue
                }
                let values = try Tensor(uninitialized: info.shape, dtype: .float32)
                try values.withMutableBytes { try file.read(saved.name, as: .float32, into: $0) }
                try tensor.copy_((saved.isTransposed ? values.transposed() : values).to(tensor.device))
            }
        }
    }
}
