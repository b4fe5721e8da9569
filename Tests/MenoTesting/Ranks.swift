import Foundation
import MenoTensor
import Synchronization

/// Ranks of a process group, as threads: what passes between them goes through sockets all the same.
package enum Ranks {
    /// Runs a body for every rank at the same time, with a free port to meet at.
    /// - Returns: what each returned, by rank.
    package static func run<Value: Sendable>(
        _ size: Int, _ body: @escaping @Sendable (_ rank: Int, _ port: UInt16) throws -> Value
    ) throws -> [Value] {
        let port = try LoopbackPort.free()
        let results = Mutex<[Int: Result<Value, any Error>]>([:])
        let threads = (0..<size).map { rank in
            Thread {
                let result = Result { try body(rank, port) }
                results.withLock { $0[rank] = result }
            }
        }
        threads.forEach {
            $0.stackSize = 8 << 20
            $0.start()
        }
        while results.withLock({ $0.count }) < size { Thread.sleep(forTimeInterval: 0.005) }
        return try (0..<size).map { rank in try results.withLock { $0[rank]! }.get() }
    }
}
