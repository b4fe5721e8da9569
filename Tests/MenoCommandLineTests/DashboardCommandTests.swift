import Foundation
import MenoTesting
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The live page, as a browser meets it.
@Suite struct DashboardCommandTests {
    @Test func aRunIsFollowedWhileItGoesOn() throws {
        let folder = try TemporaryFolder()
        let progress = folder.url.appending(path: "runs/a/training_progress")
        try FileManager.default.createDirectory(at: progress, withIntermediateDirectories: true)
        let metrics = progress.appending(path: "metrics.jsonl")
        let line = { (step: Int) in
            #"{"step": \#(step), "loss": 2.5, "grad_norm": 1, "learning_rate": 0.1, "epoch": 1, "tokens": 5, "labels": 4}"#
        }
        try Data(line(1).utf8).write(to: metrics)
        let process = try start(["dashboard", folder.url.appending(path: "runs").path, "--port", "0"])
        defer { process.terminate() }
        let output = process.standardOutput as! Pipe
        let address = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let port = try #require(
            UInt16(address.dropFirst("http://127.0.0.1:".count).prefix { $0.isNumber }), "\(address)")

        let get = { (path: String, host: String) in try Connection(port).get(path, host: host) }
        // A single run is where the address leads to.
        #expect(try get("/", "localhost").contains("Location: /runs/a"))
        let page = try get("/runs/a", "127.0.0.1:\(port)")
        #expect(page.hasPrefix("HTTP/1.1 200") && page.contains("Content-Security-Policy: default-src 'none'"))
        #expect(page.contains("new EventSource"))
        // Neither another host's name nor a path leads anywhere.
        #expect(try get("/runs/a", "evil.example").hasPrefix("HTTP/1.1 403"))
        for path in [
            "/../../etc/passwd", "/runs/..%2f..%2fetc", "/runs/%2e%2e", "/runs/a/../../secret", "/runs/a/run.yaml",
        ] {
            #expect(try get(path, "localhost").hasPrefix("HTTP/1.1 404"), "\(path)")
        }
        // News come by themselves.
        let events = try Connection(port)
        try events.send("/runs/a/updates", host: "localhost")
        #expect(try events.read(until: "event: update").contains("text/event-stream"))
        try Data((line(1) + "\n" + line(2) + "\n").utf8).write(to: metrics)
        _ = try events.read(until: "event: update")
        #expect(try get("/runs/a/body", "localhost").contains("step 2"))
        // A signal ends it, though somebody still listens.
        process.interrupt()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    /// Its lock tells, which the system gives free when the process ends.
    @Test func aRunIsRunningWhileItsProcessHoldsTheLock() throws {
        let folder = try TemporaryFolder()
        let progress = folder.url.appending(path: "a/training_progress")
        try FileManager.default.createDirectory(at: progress, withIntermediateDirectories: true)
        try Data(
            #"{"step": 1, "loss": 2.5, "grad_norm": 1, "learning_rate": 0.1, "epoch": 1, "tokens": 5, "labels": 4}"#
                .utf8
        )
        .write(to: progress.appending(path: "metrics.jsonl"))
        let lock = folder.url.appending(path: "a/.lock")
        try Data("\(getpid())\n".utf8).write(to: lock)
        let descriptor = open(lock.path, O_RDWR)
        defer { close(descriptor) }
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        let process = try start(["dashboard", folder.url.path, "--port", "0"])
        defer { process.terminate() }
        let output = process.standardOutput as! Pipe
        let address = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let port = try #require(
            UInt16(address.dropFirst("http://127.0.0.1:".count).prefix { $0.isNumber }), "\(address)")
        let state = {
            let page = try Connection(port).get("/runs/a/body", host: "localhost")
            return page.firstMatch(of: /<span class="badge [a-z]+">([^<]*)</).map { String($0.1) } ?? page
        }
        let running = try state()
        #expect(["running", "実行中"].contains(running), "\(running)")
        #expect(flock(descriptor, LOCK_UN) == 0)
        let ended = try state()
        #expect(["broke off", "中断(終了の記録なし)"].contains(ended), "\(ended)")
        try FileManager.default.removeItem(at: lock)
        #expect(try state() != ended)
    }

    @Test func whatIsNotThereIsSaid() throws {
        let result = try meno("dashboard", "/nowhere")
        #expect(result.status == 66 && result.errors.contains("/nowhere"))
        #expect(try meno("dashboard", "/tmp", "--port", "99999").status == 64)
    }

    /// A plain connection to this machine.
    private final class Connection {
        private struct Failed: Error {}
        private let descriptor: Int32

        init(_ port: UInt16) throws {
            #if canImport(Glibc)
                descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            #else
                descriptor = socket(AF_INET, SOCK_STREAM, 0)
            #endif
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            var limit = timeval(tv_sec: 20, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            guard status == 0 else { throw Failed() }
        }

        deinit { close(descriptor) }

        func send(_ path: String, host: String, closes: Bool = false) throws {
            let text = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\(closes ? "Connection: close\r\n" : "")\r\n"
            guard write(descriptor, text, text.utf8.count) == text.utf8.count else { throw Failed() }
        }

        func get(_ path: String, host: String) throws -> String {
            try send(path, host: host, closes: true)
            return try read(until: nil)
        }

        /// - Parameter end: `nil`: the end of the connection.
        func read(until end: String?) throws -> String {
            var (bytes, block) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
            while true {
                #if canImport(Glibc)
                    let count = Glibc.read(descriptor, &block, block.count)
                #else
                    let count = Darwin.read(descriptor, &block, block.count)
                #endif
                if count == 0, end == nil { return String(decoding: bytes, as: UTF8.self) }
                guard count > 0 else { throw Failed() }
                bytes += block.prefix(count)
                let text = String(decoding: bytes, as: UTF8.self)
                if let end, text.contains(end) { return text }
            }
        }
    }
}
