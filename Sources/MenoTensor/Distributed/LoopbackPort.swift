#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Ports of this machine's loopback interface, for processes that meet there.
package enum LoopbackPort {
    /// A port of 127.0.0.1 that nobody listens on now.
    /// - Throws: ``TorchError`` if there is none.
    package static func free() throws -> UInt16 {
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
        guard isBound else {
            throw TorchError(
                .invalid, at: "127.0.0.1", "has no free port (\(String(cString: strerror(errno)))).",
                advice: "End programs that hold ports or files open, and try again.")
        }
        return UInt16(bigEndian: address.sin_port)
    }
}
