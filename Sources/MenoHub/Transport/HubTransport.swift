internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import Synchronization

/// Requests to the Hub and to the servers that it sends on to.
final class HubTransport: Sendable {
    let settings: HubSettings
    /// A client for each proxy, and one for none.
    private let clients = Mutex<[ProxySettings.Proxy?: HTTPClient]>([:])

    private init(_ settings: HubSettings) { self.settings = settings }

    /// Lends a transport for as long as the function runs.
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
            // Otherwise a refused connection is tried until the time is up.
            configuration.connectionPool.retryConnectionEstablishment = false
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = settings.parallelFiles
            // The windows of HTTP/2 are too small for large files over long ways.
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
        /// The first byte that is wanted.
        var offset = 0
        /// How often it is repeated where the server cannot be reached; `nil`: as often as any.
        var connectionRetries: Int? = 2
        /// Whether a redirect to another server is followed. The answer to a question about a file is on the redirect itself.
        var leavesHub = true
    }

    /// Sends a request, following redirects. The token goes to the Hub alone.
    /// - Throws: ``HubError`` `network`; a status that means an error is returned.
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

    /// Whether an address is the endpoint's, or the Hub's own, to which mirrors send on.
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

    /// Sends a request until there is an answer, waiting as long as the server asks for.
    /// - Parameters:
    ///   - onWait: told why it takes longer.
    ///   - refusal: the error of an answer that is one.
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
