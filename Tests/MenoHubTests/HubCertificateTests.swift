import Foundation
import HubServer
import MenoTesting
import Testing

@testable import MenoHub

private let openssl = ["/usr/bin/openssl", "/usr/local/bin/openssl", "/opt/homebrew/bin/openssl"].first {
    FileManager.default.isExecutableFile(atPath: $0)
}

/// Downloads over HTTPS, and whose certificates are trusted.
@Suite(.enabled(if: openssl != nil, "openssl is needed to make a certificate"))
struct HubCertificateTests {
    /// A certificate of `localhost` that no authority has signed, and its key.
    private func makeIdentity(in folder: TemporaryFolder, named name: String) throws -> (
        certificate: String, key: String
    ) {
        let identity = (
            certificate: folder.url.appending(path: "\(name).pem").path,
            key: folder.url.appending(path: "\(name).key").path
        )
        let process = Process()
        process.executableURL = URL(filePath: try #require(openssl))
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", identity.certificate,
            "-keyout",
            identity.key,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return identity
    }

    @Test func onlyKnownAuthoritiesAreTrusted() async throws {
        let plain = try HubFixture()
        let identity = try makeIdentity(in: plain.folder, named: "server")
        let other = try makeIdentity(in: plain.folder, named: "other")
        let server = try HubServer(plain.repository, identity: identity)
        let endpoint = ["HF_ENDPOINT": server.endpoint]

        for trusted in [nil, other.certificate] {
            var environment = endpoint
            environment["SSL_CERT_FILE"] = trusted
            let error = await #expect(throws: HubError.self) { try await plain.fetch(nil, environment) }
            #expect(
                error?.description.contains("not signed by a trusted authority") == true, "\(String(describing: error))"
            )
            #expect(error?.advice?.contains(trusted ?? "SSL_CERT_FILE") == true)
        }
        #expect(server.takeRequests().isEmpty)

        let trusting = endpoint.merging(["SSL_CERT_FILE": identity.certificate]) { $1 }
        let snapshot = try await plain.fetch(nil, trusting)
        let data = try Data(contentsOf: snapshot.url.appending(path: "model.safetensors"))
        #expect(data == plain.files["model.safetensors"])
    }
}
