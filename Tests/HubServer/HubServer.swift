internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// A server on loopback that speaks the Hub's protocol, and a second one that large files come from, as from a CDN.
///
/// Everything can go wrong that goes wrong with the Hub and the network: see ``Trouble``.
package final class HubServer: Sendable {
    /// What a request was.
    package struct Request: Sendable, Hashable {
        package let method: String
        package let path: String
        package let isCDN: Bool
        package let range: String?
        package let authorization: String?
    }

    private let state = HubState()
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let hub: any Channel
    private let cdn: any Channel
    private let origin: String

    /// - Parameter identity: files in PEM, a certificate of `localhost` and its key: then both servers speak HTTPS.
    package init(_ repositories: ServedRepository..., identity: (certificate: String, key: String)? = nil) throws {
        let tls = try identity.map { identity in
            try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: NIOSSLCertificate.fromPEMFile(identity.certificate).map { .certificate($0) },
                    privateKey: .privateKey(NIOSSLPrivateKey(file: identity.key, format: .pem))))
        }
        origin = tls == nil ? "http://127.0.0.1" : "https://localhost"
        hub = try Self.listen(state, isCDN: false, group, tls)
        cdn = try Self.listen(state, isCDN: true, group, tls)
        state.values.withLock { [cdn, origin] in $0.cdn = "\(origin):\(cdn.localAddress?.port ?? 0)" }
        for repository in repositories { set(repository) }
    }

    deinit {
        hub.close(promise: nil)
        cdn.close(promise: nil)
        group.shutdownGracefully { _ in }
    }

    private static func listen(
        _ state: HubState, isCDN: Bool, _ group: any EventLoopGroup, _ tls: NIOSSLContext?
    ) throws -> any Channel {
        try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(HubHandler(state, isCDN: isCDN))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
    }

    /// For `HF_ENDPOINT`.
    package var endpoint: String { "\(origin):\(hub.localAddress?.port ?? 0)" }

    /// Where requests for large files are sent on to.
    package var contentEndpoint: String {
        get { state.values.withLock { $0.cdn } }
        set { state.values.withLock { $0.cdn = newValue } }
    }

    /// Adds a repository, or replaces the one of its id.
    package func set(_ repository: ServedRepository) {
        state.values.withLock { $0.repositories[repository.id] = repository }
    }

    /// Lets requests for one id be sent on to another.
    package func move(_ id: String, to other: String) { state.values.withLock { $0.moved[id] = other } }

    /// The token that private and gated repositories can be read with.
    package func accept(token: String?) { state.values.withLock { $0.token = token } }

    /// - Parameters:
    ///   - path: a text that the path of a request contains.
    ///   - method: `HEAD` or `GET`; `nil`: both.
    ///   - times: so many requests; then everything is well again.
    package func trouble(_ kind: Trouble.Kind, _ path: String, method: String? = nil, times: Int = .max) {
        state.values.withLock { $0.troubles.append(Trouble(path: path, method: method, kind: kind, times: times)) }
    }

    package func clearTroubles() { state.values.withLock { $0.troubles = [] } }

    /// The requests since this was last called.
    package func takeRequests() -> [Request] {
        state.values.withLock { state in
            defer { state.requests = [] }
            return state.requests
        }
    }
}

/// What goes wrong with some requests.
package struct Trouble: Sendable {
    package enum Kind: Sendable {
        /// An answer with this status.
        case status(Int, [String: String] = [:])
        /// The connection is closed after so many bytes of the body.
        case cut(after: Int)
        /// Nothing more comes after so many bytes of the body.
        case stall(after: Int)
        /// The last byte of the body is another one.
        case corrupt
        /// The range that was asked for is not heeded.
        case wholeFile
        /// Another range comes than was asked for.
        case wrongRange
        /// The body is longer than was announced, without a `Content-Length`.
        case tooLong
        /// The body comes slowly: so many bytes a second.
        case slow(Int)
        /// A header is left out.
        case without(String)
        /// A header has this value.
        case with(String, String)
    }

    let path: String
    let method: String?
    let kind: Kind
    var times: Int
}

final class HubState: Sendable {
    struct Values {
        var repositories: [String: ServedRepository] = [:]
        var token: String?
        var moved: [String: String] = [:]
        var troubles: [Trouble] = []
        var requests: [HubServer.Request] = []
        var cdn = ""
    }

    let values = Mutex(Values())

    /// Takes down a request.
    /// - Returns: what is known, and what goes wrong with this request.
    func take(_ request: HubServer.Request) -> (Values, Trouble.Kind?) {
        values.withLock { values in
            values.requests.append(request)
            let index = values.troubles.firstIndex {
                $0.times > 0 && request.path.contains($0.path) && $0.method ?? request.method == request.method
            }
            guard let index else { return (values, nil) }
            values.troubles[index].times -= 1
            return (values, values.troubles[index].kind)
        }
    }
}
