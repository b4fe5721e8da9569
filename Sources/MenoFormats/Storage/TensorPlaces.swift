/// Where each tensor lies in a file that is being written, and how much of it has been.
struct TensorPlaces {
    private struct Place {
        var offset: Int
        var size: Int
        var written = 0
    }

    private let path: String
    private var places: [String: Place] = [:]
    private var order: [String] = []

    init(path: String) { self.path = path }

    func contains(_ name: String) -> Bool { places[name] != nil }

    mutating func add(_ name: String, offset: Int, size: Int) {
        places[name] = Place(offset: offset, size: size)
        order.append(name)
    }

    /// Moves every tensor back by the size of what comes before the data.
    mutating func shift(by start: Int) { for name in order { places[name]!.offset += start } }

    /// The place in the file of the next part of a tensor.
    /// - Parameter offset: the bytes of this tensor that were written before.
    func start(_ name: String, count: Int, at offset: Int) throws -> Int {
        guard let place = places[name] else { throw invalid("has no place for tensor '\(name)'.") }
        guard offset == place.written, count <= place.size - place.written else {
            throw invalid(
                "tensor '\(name)' has \(place.size) bytes, \(place.written) of them written; "
                    + "\(count) at byte \(offset) do not fit.")
        }
        return place.offset + offset
    }

    mutating func wrote(_ name: String, count: Int) { places[name]!.written += count }

    /// The bytes of a tensor that were written so far.
    func written(_ name: String) -> Int { places[name]?.written ?? 0 }

    func requireAll() throws {
        for name in order where places[name]!.written < places[name]!.size {
            throw invalid("tensor '\(name)' was not written completely.")
        }
    }

    func invalid(_ message: String) -> FormatError { FormatError(.malformed, at: path, message) }
}
