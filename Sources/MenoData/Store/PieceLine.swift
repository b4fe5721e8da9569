internal import Foundation

/// Pieces that wait to be worked on, and results that wait to be taken in the order of the pieces.
final class PieceLine<Piece: Sendable, Value: Sendable>: @unchecked Sendable {
    private enum Entry {
        case waiting(Piece)
        case begun
        case done(Result<Value, any Error>)
    }

    // Guards everything else, and is signalled when something can be begun or taken.
    private let condition = NSCondition()
    private var entries: [Entry] = []
    /// The number of the first entry: of those before it, the results have been taken.
    private var taken = 0
    /// The number of the first piece that nobody has begun.
    private var next = 0
    private var isClosed = false

    private func locked<Result>(_ body: () -> Result) -> Result {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }

    /// Pieces whose results have not been taken.
    var count: Int { locked { entries.count } }

    func append(_ piece: Piece) {
        locked {
            entries.append(.waiting(piece))
            condition.broadcast()
        }
    }

    /// A piece to work on.
    /// - Parameter waits: whether to wait until there is one, or no more will come.
    func begin(waits: Bool) -> (number: Int, piece: Piece)? {
        locked {
            while !isClosed {
                if next < taken + entries.count, case .waiting(let piece) = entries[next - taken] {
                    entries[next - taken] = .begun
                    next += 1
                    return (next - 1, piece)
                }
                guard waits else { break }
                condition.wait()
            }
            return nil
        }
    }

    func finish(_ number: Int, _ value: Result<Value, any Error>) {
        locked {
            entries[number - taken] = .done(value)
            condition.broadcast()
        }
    }

    /// Removes the first piece's result.
    /// - Parameter waits: whether to wait for one that has been begun.
    /// - Returns: `nil` where it is not there yet, or nothing is left.
    func first(waits: Bool) -> Result<Value, any Error>? {
        locked {
            while let entry = entries.first {
                if case .done(let value) = entry {
                    entries.removeFirst()
                    taken += 1
                    return value
                }
                guard waits else { break }
                condition.wait()
            }
            return nil
        }
    }

    /// No piece is begun any more.
    func close() {
        locked {
            isClosed = true
            condition.broadcast()
        }
    }
}
