import Foundation
import HubServer
import MenoTesting
import Testing

@testable import MenoHub

/// The Hub behind TLS, with a certificate authority that the test makes.
@Suite(.serialized) struct HubTLSTests {
    private static let openSSL = URL(filePath: "/usr/bin/openssl")
    private static let python = URL(filePath: "/usr/bin/python3")
    private static let hasTools = [openSSL, python].allSatisfy {
        FileManager.default.isExecutableFile(atPath: $0.path)
    }

    /// TLS before both servers of a fixture.
    private final class Front {
        private(set) var endpoint = ""
        let authority: URL
        /// The end of its input ends a process, also where the tests are killed.
        private var processes: [(process: Process, input: Pipe)] = []

        init(_ fixture: HubFixture) throws {
            let folder = fixture.folder.url
            authority = folder.appending(path: "authority.pem")
            let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            try "subjectAltName=IP:127.0.0.1".write(
                to: folder.appending(path: "names"), atomically: true, encoding: .utf8)
            for arguments in [
                ["req", "-x509"] + curve + [
                    "-keyout", "authority.key", "-out", "authority.pem", "-subj", "/CN=Tests", "-days", "2",
                ],
                ["req"] + curve + ["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1"],
                [
                    "x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
                    "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "names",
                ],
            ] {
                let run = Process()
                (run.executableURL, run.arguments, run.currentDirectoryURL) = (HubTLSTests.openSSL, arguments, folder)
                (run.standardError, run.standardOutput) = (FileHandle.nullDevice, FileHandle.nullDevice)
                try run.run()
                run.waitUntilExit()
                try #require(run.terminationStatus == 0)
            }
            fixture.server.contentEndpoint = try start(before: fixture.server.contentEndpoint, folder)
            endpoint = try start(before: fixture.server.endpoint, folder)
        }

        /// - Returns: the address of the front.
        private func start(before address: String, _ folder: URL) throws -> String {
            let (process, input, output) = (Process(), Pipe(), Pipe())
            process.executableURL = HubTLSTests.python
            process.arguments = [
                Fixtures.repository.appending(path: "Tests/Reference/tls_front.py").path,
                String(address.split(separator: ":").last ?? ""),
                folder.appending(path: "server.pem").path, folder.appending(path: "server.key").path,
            ]
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            process.standardInput = input
            try process.run()
            processes.append((process, input))
            let port = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            return "https://127.0.0.1:\(port.trimmingCharacters(in: .whitespacesAndNewlines))"
        }

        deinit {
            // Tests block the signals that would end them politely.
            for (process, _) in processes {
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
            }
        }
    }

    @Test(.enabled(if: hasTools, "needs openssl and python3")) func anAuthorityOfOnesOwnIsTrusted() async throws {
        let fixture = try HubFixture()
        let front = try Front(fixture)
        let snapshot = try await fixture.fetch(
            nil, ["HF_ENDPOINT": front.endpoint, "SSL_CERT_FILE": front.authority.path])
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            #expect(try Data(contentsOf: snapshot.url.appending(path: name)) == fixture.files[name])
        }
        withExtendedLifetime(front) {}
    }

    @Test(.enabled(if: hasTools, "needs openssl and python3")) func anUnknownAuthorityIsRefused() async throws {
        let fixture = try HubFixture()
        let front = try Front(fixture)
        let error = await #expect(throws: HubError.self) {
            try await fixture.fetch(nil, ["HF_ENDPOINT": front.endpoint])
        }
        #expect(error?.code == .network && error?.description.contains("not trusted") == true)
        #expect(error?.advice?.contains("SSL_CERT_FILE") == true)
        #expect(fixture.server.takeRequests().isEmpty)
        withExtendedLifetime(front) {}
    }

    @Test func anAuthorityThatCannotBeReadIsNamed() {
        let error = #expect(throws: HubError.self) { try HubSettings(["SSL_CERT_FILE": "/nowhere/ca.pem"]) }
        #expect(error?.description.contains("SSL_CERT_FILE") == true)
    }
}
