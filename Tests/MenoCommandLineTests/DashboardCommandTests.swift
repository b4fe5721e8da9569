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

    /// Buttons of the page reach the process that trains: it saves a checkpoint, and it ends with its result.
    @Test func aRunIsSteered() throws {
        let tiny = try TinyModel()
        try tiny.write("max_steps: 100000, save_steps: 100000, eval_steps: 50000, learning_rate: 1.0e-4, bf16: false")
        let training = try start(["train", tiny.file.path, "--quiet"])
        defer { training.terminate() }
        let session = tiny.run.appending(path: "control_session.json").path
        for _ in 0..<400 where !FileManager.default.fileExists(atPath: session) { usleep(50_000) }
        let dashboard = try start(["dashboard", tiny.run.path, "--port", "0", "--language", "en"])
        defer { dashboard.terminate() }
        let output = dashboard.standardOutput as! Pipe
        let address = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let port = try #require(
            UInt16(address.dropFirst("http://127.0.0.1:".count).prefix { $0.isNumber }), "\(address)")
        let host = "127.0.0.1:\(port)"
        var page = ""
        for _ in 0..<200 {
            page = try Connection(port).get("/runs/run", host: host)
            if page.contains("Stop the run") { break }
            usleep(50_000)
        }
        let value = { (name: String) in
            page.firstMatch(of: try Regex("name=\"\(name)\" value=\"([^\"]*)\"")).map { String($0[1].substring ?? "") }
        }
        let (token, mark) = (try #require(try value("token")), try #require(try value("session")))
        let form = "token=\(token)&session=\(mark)"
        let post = { (path: String, body: String, headers: String) in
            String(try Connection(port).post(path, host: host, body, headers: headers).prefix { $0 != "\r\n" })
        }
        // What another page could send does nothing.
        #expect(try post("/runs/run/stop", "session=\(mark)", "").contains("403"))
        #expect(try post("/runs/run/stop", "token=\(mark)&session=\(mark)", "").contains("403"))
        #expect(try post("/runs/run/stop", form, "Origin: http://evil.example\r\n").contains("403"))
        #expect(try post("/runs/run/stop", form, "Sec-Fetch-Site: cross-site\r\n").contains("403"))
        #expect(try post("/runs/run/stop", "token=\(token)&session=other", "").contains("409"))
        #expect(try post("/runs/other/stop", form, "").contains("404"))
        #expect(try Connection(port).get("/runs/run/stop?\(form)", host: host).contains("404"))
        #expect(training.isRunning)
        let own = "Origin: http://\(host)\r\nSec-Fetch-Site: same-origin\r\n"
        #expect(try post("/runs/run/checkpoint", form, own).contains("303"))
        let model = tiny.run.appending(path: "model")
        var saved: [String] = []
        for _ in 0..<200 where saved.isEmpty {
            usleep(20_000)
            saved = try FileManager.default.contentsOfDirectory(atPath: model.path).filter {
                $0.hasPrefix("checkpoint-")
            }
        }
        #expect(saved.count == 1 && training.isRunning)
        #expect(try Connection(port).get("/metrics", host: host).contains("meno_running{run=\"run\"} 1"))
        #expect(try post("/runs/run/stop", form, own).contains("303"))
        training.waitUntilExit()
        #expect(training.terminationStatus == 0)
        #expect(FileManager.default.fileExists(atPath: model.appending(path: "adapter_model.safetensors").path))
        for file in ["control_session.json", "control_request.json"] {
            #expect(!FileManager.default.fileExists(atPath: tiny.run.appending(path: file).path))
        }
        // A run with thousands of steps is not read again at once.
        for _ in 0..<300 {
            page = try Connection(port).get("/runs/run", host: host)
            if page.contains("stopped early") { break }
            usleep(100_000)
        }
        #expect(page.contains("stopped early") && page.contains("Stopped from the dashboard."))
        #expect(!page.contains("Stop the run") && page.contains("tokens per example"))
        // A button of the page that was loaded before.
        #expect(try post("/runs/run/stop", form, own).contains("409"))
        // It can be resumed from where it was stopped.
        let last = try #require(try RunStep.last(in: tiny.progress))
        let resumed = try meno(
            "train", tiny.file.path, "--resume", "auto", "--max-steps", "\(last + 2)", "--allow-changes")
        #expect(resumed.status == 0, "\(resumed.errors)")
    }

    /// The last step of a run's `metrics.jsonl`.
    private enum RunStep {
        static func last(in folder: URL) throws -> Int? {
            let text = try String(contentsOf: folder.appending(path: "metrics.jsonl"), encoding: .utf8)
            return text.split(separator: "\n").last?.firstMatch(of: /"step":(\d+)/).flatMap { Int($0.1) }
        }
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

        func post(_ path: String, host: String, _ body: String, headers: String = "") throws -> String {
            let text =
                "POST \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\(headers)"
                + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            guard write(descriptor, text, text.utf8.count) == text.utf8.count else { throw Failed() }
            return try read(until: nil)
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
