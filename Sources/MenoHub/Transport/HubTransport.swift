internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import Synchronization

/// Sends requests to the Hub and the servers it redirects to.
final class HubTransport: Sendable {
    let settings: HubSettings
    /// One client per proxy, and one without a proxy.
    private let clients = Mutex<[ProxySettings.Proxy?: HTTPClient]>([:])

    private init(_ settings: HubSettings) { self.settings = settings }

    /// Provides a transport while the function runs.
    static func with<Result: Sendable>(
        _ settings: HubSettings, _ body: (HubTransport) async throws -> Result
    ) async throws -> Result {
        let transport = HubTransport(settings)
        do {
            let result = try await body(transport)
            await transport.shutDown()
            return result
        } catch {
            await transport.shutDown()
            throw error
        }
    }

    private func shutDown() async {
        for client in clients.withLock({ Array($0.values) }) { try? await client.shutdown() }
    }

    private func client(for url: URL) -> HTTPClient {
        let proxy = settings.proxies.proxy(for: url)
        return clients.withLock { clients in
            if let client = clients[proxy] { return client }
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            configuration.timeout = .init(connect: .init(settings.answerTimeout), read: .init(settings.readTimeout))
            if let certificates = settings.certificates {
                var tls = TLSConfiguration.makeClientConfiguration()
                tls.trustRoots = .file(certificates)
                configuration.tlsConfiguration = tls
            }
            // Without this, a refused connection would be retried until the timeout.
            configuration.connectionPool.retryConnectionEstablishment = false
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = settings.parallelFiles
            // HTTP/2's windows are too small for large files over high-latency links.
            configuration.httpVersion = .http1Only
            configuration.proxy = proxy?.configuration
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            clients[proxy] = client
            return client
        }
    }

    // MARK: Requests

    struct Request {
        var method = HTTPMethod.GET
        var url: String
        /// The first byte to request.
        var offset = 0
        /// The number of retries if the server cannot be reached; `nil`: the usual number.
        var connectionRetries: Int? = 2
        /// Whether to follow a redirect to another server. The metadata of a file is in the headers of the redirect
        /// itself.
        var leavesHub = true
    }

    /// Sends a request and follows redirects. The token is sent to the Hub only.
    /// - Throws: ``HubError`` `network`; an error status is returned, not thrown.
    func send(_ request: Request) async throws -> HTTPClientResponse {
        var url = try Self.url(request.url)
        for _ in 0..<Self.redirectLimit {
            var message = HTTPClientRequest(url: url.absoluteString)
            message.method = request.method
            message.headers = ["User-Agent": "meno", "Accept-Encoding": "identity", "Accept": "*/*"]
            if let token = settings.token, isHub(url) {
                message.headers.add(name: "Authorization", value: token.authorization)
            }
            if request.offset > 0 { message.headers.add(name: "Range", value: "bytes=\(request.offset)-") }
            let response: HTTPClientResponse
            do {
                response = try await client(for: url).execute(message, timeout: .init(settings.answerTimeout))
            } catch {
                throw try HubError.network(error, host: url.host ?? url.absoluteString, settings)
            }
            guard (300..<400).contains(response.status.code), response.status != .notModified,
                let location = response.headers.first(name: "Location")
            else { return response }
            guard let target = URL(string: location, relativeTo: url)?.absoluteURL, let scheme = target.scheme,
                ["http", "https"].contains(scheme), url.scheme == "http" || scheme == "https"
            else {
                throw HubError(
                    .network, at: url.host ?? "",
                    "redirects to an address that is not followed: \(location.prefix(99))."
                )
            }
            if !request.leavesHub, !isHub(target) { return response }
            url = target
        }
        throw HubError(.network, at: url.host ?? "", "redirects more than \(Self.redirectLimit) times.")
    }

    private static let redirectLimit = 10

    private static func url(_ text: String) throws -> URL {
        guard let url = URL(string: text) else { throw HubError(.badSetting, at: text, "is not a URL.") }
        return url
    }

    /// Whether a URL belongs to the endpoint, or to the Hub itself, which mirrors redirect to.
    private func isHub(_ url: URL) -> Bool {
        let origin = Self.origin(url)
        let hubs = [settings.endpoint, "https://huggingface.co", "https://hf.co"]
        return hubs.contains { URL(string: $0).map(Self.origin) == origin }
    }

    private static func origin(_ url: URL) -> String {
        let port = url.port ?? (url.scheme == "https" ? 443 : 80)
        return "\(url.scheme ?? "")://\((url.host ?? "").lowercased()):\(port)"
    }

    // MARK: Repetition

    /// Sends a request until there is a response, with waits as long as the server asks for.
    /// - Parameters:
    ///   - onWait: called with the reason for a delay.
    ///   - refusal: returns the error for a response that reports one.
    func answer(
        to request: Request, onWait: @Sendable (String) -> Void, refusal: (HTTPClientResponse) -> HubError
    ) async throws -> HTTPClientResponse {
        var backoff = Backoff(settings)
        var lost = 0
        while true {
            let (problem, delay): (HubError, Duration?)
            do {
                let response = try await send(request)
                guard response.status.code >= 400 else { return response }
                (problem, delay) = (refusal(response), backoff.delay(after: response))
            } catch let error as HubError where error.code == .network {
                lost += 1
                (problem, delay) = (error, lost > request.connectionRetries ?? .max ? nil : backoff.next())
            }
            guard let delay else { throw problem }
            if delay > .seconds(1) {
                onWait("\(problem.text) Trying again in \(delay.seconds) s.")
            }
            try await Task.sleep(for: delay)
        }
    }
}

extension TimeAmount {
    init(_ duration: Duration) { self = .nanoseconds(Int64(duration / .nanoseconds(1))) }
}

extension Duration {
    /// Whole seconds, rounded up.
    var seconds: Int { Int((self / .seconds(1)).rounded(.up)) }
}
