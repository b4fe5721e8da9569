import Foundation
import Synchronization

/// Ranks of a process group, as threads: what passes between them goes through sockets all the same.
package enum Ranks {
    /// Runs a body for every rank at the same time, with a free port to meet at.
    /// - Returns: what each returned, by rank.
    package static func run<Value: Sendable>(
        _ size: Int, _ body: @escaping @Sendable (_ rank: Int, _ port: UInt16) throws -> Value
    ) throws -> [Value] {
        let port = try freePort()
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

    private struct NoPort: Error {}

    /// A port of this machine that nobody listens on.
    package static func freePort() throws -> UInt16 {
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET, kind, 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw NoPort() }
        return UInt16(bigEndian: address.sin_port)
    }
}
